// `zopp keys drill`: proves that the recovery key opens every epoch of every environment; what opens nothing is worth nothing.
import { asZoppError, type ZoppError } from "../../crds/errors.js";
import type { AcceptedEnvironment, Epoch } from "../../crds/policy/environment.js";
import { askRecovery, openPrivateKey, readRecovery } from "../epoch-keys.js";
import { problemLine, type Result, withProgress } from "../output.js";
import { acceptEnvironment, acceptNamedWorkspace } from "../policy.js";
import type { Session } from "../session.js";
import { pathIn } from "../settings.js";

/** The flags of `zopp keys drill`. */
export interface KeysDrillOptions {
  readonly recoveryFile?: string;
}

interface Tried {
  readonly environment: string;
  readonly epoch?: number;
  readonly error?: ZoppError;
}

/** Runs `zopp keys drill`. */
export async function run(session: Session, _args: readonly string[], options: KeysDrillOptions): Promise<Result> {
  const { context } = session;
  const workspace = await acceptNamedWorkspace(session);
  const { recoveryFile: file } = options;
  const recovery = file === undefined ? await askRecovery(context) : await readRecovery(context, file);
  const tried: Tried[] = [];
  for (const { name } of workspace.object.spec.environments ?? []) {
    const path = pathIn(workspace.name, name);
    try {
      const environment = await acceptEnvironment(session, workspace, path, true);
      for (const epoch of environment.epochs.values())
        tried.push(await withProgress(context, "opening keys", open(environment, epoch, recovery)));
    } catch (error) {
      tried.push({ environment: `${workspace.name}/${name}`, error: asZoppError(error, "reading the environment") });
    }
  }
  const failed = tried.flatMap(({ error }) => error ?? []);
  const opened = tried.length - failed.length;
  const results = tried.map(({ environment, epoch, error }) => ({
    environment,
    epoch,
    opens: error === undefined,
    ...(error === undefined ? {} : { code: error.code, message: error.message }),
  }));
  return {
    data: { workspace: workspace.name, version: workspace.version, opened, failed: failed.length, keys: results },
    names: tried.map(({ environment, epoch }) => `${environment}${epoch === undefined ? "" : `@${epoch}`}`),
    human: [
      ...tried.map(inWords),
      failed.length === 0
        ? `the recovery key opens all ${opened} keys of workspace ${workspace.name}`
        : `the recovery key opens ${opened} of ${tried.length} keys: \`zopp environment rekey\` makes others that it opens, while somebody can open these`,
    ],
    exit: failed[0]?.kind.exit ?? 0,
  };
}

/** Opening compares what came out with the public key. */
async function open(environment: AcceptedEnvironment, epoch: Epoch, recovery: string): Promise<Tried> {
  const tried = { environment: environment.path, epoch: epoch.facts.epoch };
  try {
    const raw = await openPrivateKey(environment, epoch, { recovery });
    raw.fill(0);
    return tried;
  } catch (error) {
    return { ...tried, error: asZoppError(error, "opening a key") };
  }
}

function inWords({ environment, epoch, error }: Tried): string {
  const what = epoch === undefined ? environment : `${environment}, epoch ${epoch}`;
  return error === undefined ? `${what}: opens, and is the key that it should be` : `${what}: ${problemLine(error)}`;
}
