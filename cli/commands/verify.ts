// `zopp verify`: checks every object of a store offline and lists every problem; for CI.
// Says "verified" only of what chains from a pin.

import { ZoppError } from "../../crds/errors.js";
import { formatPin } from "../../crds/policy/pin.js";
import { baseAt } from "../check.base.js";
import { type Checked, checkStore, type Finding } from "../check.js";
import { problemLine, type Result } from "../output.js";
import type { Session } from "../session.js";

/** The flags of `zopp verify`. */
export interface VerifyOptions {
  readonly base?: string;
  readonly asNewCluster?: boolean;
}

/** Exit codes from the gravest down: denied, cannot open, invalid, conflict, not found, unreachable, generic. */
const GRAVITY = [3, 6, 5, 7, 4, 8, 1];

/** Runs `zopp verify`. */
export async function run(session: Session, _args: readonly string[], options: VerifyOptions): Promise<Result> {
  const { context } = session;
  if (options.base !== undefined && options.asNewCluster === true) {
    throw new ZoppError("Usage", "--base and --as-new-cluster exclude each other: a new cluster has accepted nothing");
  }
  const store = await session.store();
  const contents = await store.contents();
  if (contents.objects.length === 0 && contents.problems.length === 0) {
    throw new ZoppError("NotFound", `there is nothing to verify in ${store.title}`);
  }
  const base = options.base === undefined ? undefined : await baseAt(session, options.base);
  const workspace = session.options.workspace;
  return report(checkStore({ context, contents, workspace, base, strict: options.asNewCluster === true }));
}

function report(checked: Checked): Result {
  const { problems, warnings, bundles, baselines, environments, workspaces } = checked;
  const counts = {
    workspaces: workspaces.length,
    environments: environments.length,
    bundles: bundles.length,
    baselines: baselines.length,
  };
  const from = workspaces.map(({ name, ownersDigest, version }) =>
    formatPin({ workspace: name, owners: ownersDigest, minVersion: version }),
  );
  const ok = problems.length === 0;
  const summary = ok
    ? `verified ${amount(bundles.length, "bundle")} in ${amount(environments.length, "environment")}, from ${from.join(", ")}`
    : `${amount(problems.length, "problem")} in ${amount(new Set(problems.map(({ where }) => where)).size, "place")}`;
  return {
    data: { verified: ok, counts, pins: from, problems: problems.map(plain), warnings: warnings.map(plain) },
    names: problems.map(({ where }) => where),
    human: [...problems.flatMap(withNext), ...warnings.map((warning) => `warning: ${inWords(warning)}`), summary],
    exit: gravest(problems),
  };
}

function gravest(problems: readonly Finding[]): number {
  const codes = new Set<number>(problems.map(({ error }) => error.kind.exit));
  return GRAVITY.find((code) => codes.has(code)) ?? (codes.size === 0 ? 0 : 1);
}

function inWords({ where, error }: Finding): string {
  const line = problemLine(error);
  return line.includes(where) ? line : `${where}: ${line}`;
}

function withNext(finding: Finding): string[] {
  return [inWords(finding), `  next: ${finding.error.kind.next}`];
}

function plain({ where, error }: Finding) {
  const { code, message, fields } = error;
  return { where, code, message, next: error.kind.next, ...(fields.length === 0 ? {} : { fields }) };
}

function amount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
