// `zopp list`: bundles of the store, or the entries of one. Shows what is written there and claims nothing about it.
// Whether it holds is `zopp verify`'s business.
import { isOnlyForJob, jobKeys, targetName } from "../../crds/bundle/target.js";
import { ZoppError } from "../../crds/errors.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { bundleName, environmentOf, needBundle } from "../bundles.js";
import { endsHeading, firstEnd } from "../expiring.js";
import { generatedRows } from "../generated.js";
import { type Result, table } from "../output.js";
import { acceptWorkspace } from "../policy.js";
import type { Session } from "../session.js";
import { parseFound } from "../store/store.js";

/** The flags of `zopp list`. */
export interface ListOptions {
  readonly namespace?: string;
  readonly environment?: string;
}

/** Runs `zopp list [BUNDLE]`. */
export async function run(session: Session, [bundle]: readonly string[], options: ListOptions): Promise<Result> {
  if (bundle !== undefined) return entries(session, bundle, options);
  const store = await session.store();
  const { objects, problems } = await store.contents(options.namespace);
  const notes = problems.map(({ error }) => error.message);
  const bundles: ZoppSecret[] = [];
  for (const { kind, value, where } of objects) {
    if (kind !== "ZoppSecret") continue;
    try {
      bundles.push(parseFound("ZoppSecret", value, where));
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      notes.push(error.message);
    }
  }
  const chosen = bundles.filter(({ spec }) => isAskedFor(spec.environment, options));
  const environments = objects.filter(({ kind }) => kind === "ZoppEnvironment");
  const named = [
    ...environments.map(({ name }) => name.replaceAll(".", "/")),
    ...bundles.map(({ spec }) => spec.environment),
  ];
  if (options.environment !== undefined && !named.some((path) => isAskedFor(path, options)))
    throw new ZoppError("UnknownEnvironment", `there is no environment ${options.environment} in ${store.title}`);
  const rows = chosen.map((secret) => {
    const { namespace, name } = secret.metadata;
    const keys = jobKeys(secret).length;
    return {
      bundle: `${namespace}/${name}`,
      environment: secret.spec.environment,
      keys,
      target: targetName(secret),
      ...(firstEnd(secret) === "" ? {} : { expires: firstEnd(secret) }),
    };
  });
  const cells = rows.map((row) => [row.bundle, row.environment, String(row.keys), row.target, row.expires ?? ""]);
  return {
    data: { bundles: rows },
    names: rows.map((row) => `zoppsecret/${row.bundle}`),
    human:
      rows.length === 0
        ? ["no bundles; `zopp set BUNDLE KEY` makes one"]
        : table(["BUNDLE", "ENVIRONMENT", "KEYS", "TARGET", ...endsHeading(chosen)], cells),
    notes,
  };
}

/** Whether an environment's path is, or ends with, the one that was asked for. */
function isAskedFor(path: string, { environment }: ListOptions): boolean {
  return environment === undefined || `/${path}`.endsWith(`/${environment}`);
}

async function entries(session: Session, bundle: string, options: ListOptions): Promise<Result> {
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  const workspace = await acceptWorkspace(session, environmentOf(secret).workspace).catch(() => undefined);
  const rows = Object.entries(secret.spec.data ?? {}).map(([key, entry]) => ({
    key,
    version: entry.version,
    author: authorOf(workspace, entry.by),
    ...(entry.expires === undefined ? {} : { expires: entry.expires }),
    ...(entry.retired === true ? { retired: true } : {}),
    ...(isOnlyForJob(secret, key) ? { onlyForJob: true } : {}),
    approvals: Object.keys(entry.approvals ?? {}).map((kid) => authorOf(workspace, kid)),
  }));
  const made = generatedRows(secret);
  const cells = [
    ...rows.map((row) => [
      row.key,
      String(row.version),
      row.author,
      row.expires ?? "",
      row.retired === true ? "retired" : row.onlyForJob === true ? "sealed, for the rotation job" : "sealed",
    ]),
    ...made.map(({ key, version, made: at, rotates }) => [
      key,
      version === undefined ? "-" : String(version),
      "keyring",
      rotates ?? "",
      at === undefined ? "generated" : `generated ${at}`,
    ]),
  ];
  const { namespace, name } = secret.metadata;
  return {
    data: { bundle: `${namespace}/${name}`, environment: secret.spec.environment, entries: rows, generated: made },
    names: [...rows.filter(({ retired }) => retired !== true), ...made].map(({ key }) => key),
    human: table(["KEY", "VERSION", "AUTHOR", "EXPIRES", "STATE"], cells),
  };
}

/** The person and device whose key it says, where a trusted policy names it; signatures are not looked at here. */
function authorOf(workspace: AcceptedWorkspace | undefined, kid: string): string {
  const signer = workspace?.roster.signers.get(kid);
  return signer === undefined ? kid : `${signer.principal.name}/${signer.device.name}`;
}
