// `zopp status`: is every bundle sound by what this machine trusts, and what does the cluster say of it.
// Changes nothing; `zopp verify` gives exit codes for CI.

import { placeOf } from "../../crds/bundle/case.js";
import { endingsOf } from "../../crds/bundle/endings.js";
import { jobKeys, targetName } from "../../crds/bundle/target.js";
import { ZoppError } from "../../crds/errors.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { bundleName } from "../bundles.js";
import { type Checked, type CheckedBundle, checkStore, problemsAbout } from "../check.js";
import { endsHeading, expiringResult, firstEnd } from "../expiring.js";
import { generatedRows, rowText } from "../generated.js";
import { problemLine, type Result, table } from "../output.js";
import { rotationText } from "../rotation.js";
import type { Session } from "../session.js";
import { environmentPath, pathText } from "../settings.js";
import { watchStatus } from "../status.watch.js";
import type { Contents, ObjectName } from "../store/store.js";
import { spanOf } from "./options.js";

/** The flags of `zopp status`. */
export interface StatusOptions {
  readonly environment?: string;
  readonly namespace?: string;
  readonly expiring?: string;
  readonly watch?: boolean;
}

const HEADINGS = ["BUNDLE", "ENVIRONMENT", "KEYS", "CHECK", "READY", "REASON"];

/** Runs `zopp status [BUNDLE]`. */
export async function run(session: Session, [bundle]: readonly string[], options: StatusOptions): Promise<Result> {
  const withinMs = options.expiring === undefined ? undefined : spanOf(options.expiring);
  if (options.expiring !== undefined && withinMs === undefined)
    throw new ZoppError("Usage", "--expiring is 30d, 12h or 2w");
  const store = await session.store();
  const asked: Partial<ObjectName> =
    bundle === undefined ? { namespace: options.namespace } : bundleName(bundle, options.namespace);
  const wanted = filterOf(session, asked.name, options.environment);
  const look = (contents: Contents): Looked => {
    const { context, options: given } = session;
    const checked = checkStore({ context, contents, workspace: given.workspace, strict: false });
    return { checked, found: checked.bundles.filter(wanted) };
  };
  if (options.watch === true) {
    if (withinMs !== undefined) throw new ZoppError("Usage", "--watch and --expiring exclude each other");
    return watchStatus(session, { store, namespace: asked.namespace }, (contents) => shown(look(contents), undefined));
  }
  const looked = look(await store.contents(asked.namespace));
  const { checked, found } = looked;
  if (bundle !== undefined && found.length === 0) {
    const unread = checked.problems.find(({ error }) => error.code === "Malformed");
    throw unread?.error ?? new ZoppError("NotFound", `there is no bundle ${bundle} in ${store.title}`);
  }
  if (withinMs !== undefined) return expiringResult(found, checked, { withinMs, now: session.context.now() });
  return shown(looked, bundle);
}

interface Looked {
  readonly checked: Checked;
  readonly found: readonly CheckedBundle[];
}

function shown({ checked, found }: Looked, bundle: string | undefined) {
  const problems = problemsAbout(found, checked);
  const about = new Set(found.flatMap((each) => each.problems));
  const notes = problems.filter(({ error }) => !about.has(error)).map(({ error }) => `${error.code}: ${error.message}`);
  return {
    data: {
      bundles: found.map(plain),
      problems: problems.map(({ where, error: { code, message } }) => ({ where, code, message })),
    },
    names: found.map((each) => `zoppsecret/${placeOf(each.secret)}`),
    human: bundle === undefined ? overview(found) : found.flatMap(details),
    notes: bundle === undefined ? notes : [],
  };
}

function filterOf(
  session: Session,
  name: string | undefined,
  environment: string | undefined,
): (checked: CheckedBundle) => boolean {
  const path = environment === undefined ? undefined : pathText(environmentPath(environment, session.settings));
  return ({ secret: { metadata, spec } }) =>
    (name === undefined || name === metadata.name) && (path === undefined || path === spec.environment);
}

function saidOf({ secret }: CheckedBundle): {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
} {
  return readyOf(secret.status) ?? { status: "-", reason: "-", message: "" };
}

function liveKeys({ secret }: CheckedBundle): number {
  return jobKeys(secret).length;
}

function checkOf({ problems, warnings }: CheckedBundle): string {
  return problems[0]?.code ?? warnings[0]?.code ?? "ok";
}

function overview(found: readonly CheckedBundle[]): string[] {
  if (found.length === 0) return ["no bundles"];
  const rows = found.map((each) => {
    const { status, reason } = saidOf(each);
    const { secret } = each;
    const place = [placeOf(secret), secret.spec.environment, String(liveKeys(each))];
    return [...place, checkOf(each), status, reason, firstEnd(secret)];
  });
  return table([...HEADINGS, ...endsHeading(found.map(({ secret }) => secret))], rows);
}

function details(each: CheckedBundle): string[] {
  const { secret, where, problems, warnings } = each;
  const conditions = (secret.status?.conditions ?? []).map(
    ({ type, status, reason, message }) => `  ${type}=${status} ${reason}${message === "" ? "" : `: ${message}`}`,
  );
  return [
    `bundle       ${placeOf(each.secret)} (${where})`,
    `environment  ${secret.spec.environment}`,
    `target       ${targetName(secret)}`,
    `keys         ${liveKeys(each)}`,
    ...endingsOf(secret).map(({ key, expires }) => `expires      ${expires} ${key}`),
    ...generatedRows(secret).map((row) => `generated    ${rowText(row)}`),
    ...(secret.spec.rotation === undefined ? [] : [`rotation     ${rotationText(secret.spec.rotation)}`]),
    `check        ${checkOf(each)}`,
    ...problems.flatMap((problem) => [`  ${problemLine(problem)}`, `  next: ${problem.kind.next}`]),
    ...warnings.map((warning) => `  warning: ${problemLine(warning)}`),
    ...(conditions.length === 0 ? [] : ["conditions", ...conditions]),
  ];
}

function plain(each: CheckedBundle) {
  const { secret, where, problems, warnings } = each;
  const short = ({ code, message }: ZoppError) => ({ code, message });
  return {
    bundle: placeOf(each.secret),
    where,
    environment: secret.spec.environment,
    keys: liveKeys(each),
    expires: endingsOf(secret),
    generated: generatedRows(secret),
    ...(secret.spec.rotation === undefined ? {} : { rotation: secret.spec.rotation }),
    problems: problems.map(short),
    warnings: warnings.map(short),
    conditions: secret.status?.conditions ?? [],
  };
}
