// `zopp exposure`: every value that somebody could know, so that it can be changed at its source.
// How that is worked out is ../exposure.ts' business.
import { ZoppError } from "../../crds/errors.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import { readWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppWorkspace } from "../../crds/types.gen.js";
import { type Exposed, exposureOf, type Moment, type Way } from "../exposure.js";
import { type Result, table, withProgress } from "../output.js";
import { acceptNamedWorkspace, judgeFromPins } from "../policy.js";
import type { Session } from "../session.js";
import type { DirectoryStore } from "../store/directory.js";
import { unlessRefused } from "../unless-refused.js";

/** The flags of `zopp exposure`. */
export interface ExposureOptions {
  readonly current?: boolean;
}

const WAYS: Readonly<Record<Way, string>> = { read: "could read", key: "held the key", wrote: "wrote it" };

/** Runs `zopp exposure PRINCIPAL`. */
export async function run(
  session: Session,
  [principal = ""]: readonly string[],
  options: ExposureOptions,
): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const { moments, unread, notes } = await momentsOf(session);
  const found = exposureOf({ workspace: workspace.name, principal, moments, trusted: trustedBy(session, workspace) });
  if (!found.known) {
    const text = `no version of workspace ${workspace.name} that lies here names a principal ${principal}`;
    throw new ZoppError("NotFound", text);
  }
  const values = options.current === true ? found.values.filter(({ current }) => current) : found.values;
  const skipped = found.skipped + unread;
  if (skipped > 0)
    notes.push(`${skipped} objects or files were left out: they cannot be read, or do not chain from the pins`);
  const now = values.filter(({ current }) => current).length;
  return {
    data: { workspace: workspace.name, principal, values, moments: moments.length, skipped },
    names: values.map(({ bundle, key, version }) => `${bundle}/${key}@${version}`),
    human:
      values.length === 0
        ? [`${principal} could open nothing of what lies here`]
        : [
            ...table(["BUNDLE", "KEY", "VERSION", "NOW", "HOW"], values.map(row)),
            `${principal} could know ${values.length} values, ${now} of them in use now: change those at their source first`,
          ],
    notes,
  };
}

function row({ bundle, key, version, current, ways }: Exposed): readonly string[] {
  return [bundle, key, String(version), current ? "in use" : "", ways.map((way) => WAYS[way]).join(", ")];
}

interface Remembered {
  readonly moments: readonly Moment[];
  /** Files that may hold objects, and are no manifests. */
  readonly unread: number;
  readonly notes: string[];
}

/** What the store holds, after all that git remembers of it. */
async function momentsOf(session: Session): Promise<Remembered> {
  const store = await session.store();
  const { objects, problems } = await store.contents();
  const [present, unread] = [{ when: session.context.now(), objects }, problems.length];
  if (store.kind !== "directory") {
    const notes = ["a cluster holds what is in use now: run it in a git checkout for what was there before"];
    return { moments: [present], unread, notes };
  }
  try {
    const reading = (store as DirectoryStore).history();
    const history = await withProgress(session.context, "reading every commit", reading);
    const notes = history.isWhole ? [] : ["this clone is shallow: run it where git has the whole history"];
    return { moments: [...history.past, present], unread: unread + history.problems.length, notes };
  } catch (error) {
    if (!(error instanceof ZoppError && error.code === "NotFound")) throw error;
    const notes = [`${store.title} is no git checkout: only what lies there now is counted`];
    return { moments: [present], unread, notes };
  }
}

/** A version of the policy counts if the present one follows it, or it chains from the pins itself. */
function trustedBy(session: Session, present: AcceptedWorkspace) {
  const ancestors = new Set([present.digest, ...(present.object.spec.ancestors ?? [])]);
  return (candidate: ZoppWorkspace): AcceptedWorkspace | undefined =>
    unlessRefused(() => {
      const read = readWorkspace(candidate);
      return ancestors.has(read.digest) ? read : judgeFromPins(session.context, candidate, true);
    });
}
