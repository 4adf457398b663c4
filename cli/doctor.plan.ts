// What is wrong with a cluster, and what to do next, in words: from what was found there. Pure.
// Nothing here is evidence of trust; finding it is doctor.ts' business.
import { placeOf } from "../crds/bundle/case.js";
import { endingsOf } from "../crds/bundle/endings.js";
import { ERRORS, type ErrorCode, isErrorCode, ZoppError } from "../crds/errors.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import { schemaDigest } from "../crds/schema-digest.js";
import { SCHEMA_DIGESTS } from "../crds/schemas.gen.js";
import type { Cluster, ZoppSecret } from "../crds/types.gen.js";
import type { Description } from "../operator/keyring/client.types.js";
import { CERTIFICATE_PENDING, RESTART_PENDING, ROTATION_PENDING, readyOf } from "../operator/kube/conditions.js";
import type { KubeObject } from "../operator/kube/resources.js";
import type { Checked } from "./check.js";
import { againCommands } from "./generated.js";
import { containersOf, type ZoppPod } from "./pods.js";

/** One thing that was looked at. `next` says what to do, where something is to be done. */
export interface Finding {
  /** `unknown`: it could not be looked at. */
  readonly state: "ok" | "warning" | "unknown" | "problem";
  /** What it is about. */
  readonly about: "resource types" | "policy" | "keyring" | "processes" | "leader" | "bundles" | "values";
  readonly message: string;
  /** A code of the error table, where there is one. */
  readonly reason?: string;
  readonly next?: string;
}

type About = Finding["about"];

const ok = (about: About, message: string): Finding => ({ state: "ok", about, message });

/** Says that somebody may not look, and nothing of what is there. */
const UNSEEN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ApiRefused",
  "NoIdentity",
  "Unauthenticated",
  "MethodDenied",
]);

/** What an error is to somebody who looks: its next step is that of the table. */
export function findingOf(about: About, error: ZoppError): Finding {
  const { code: reason, message, kind } = error;
  return { state: UNSEEN.has(reason) ? "unknown" : "problem", about, reason, message, next: kind.next };
}

/** A resource type as the API server has it. */
export interface ResourceType extends KubeObject {
  readonly spec?: {
    readonly versions?: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly schema?: { readonly openAPIV3Schema?: Readonly<Record<string, unknown>> };
    }[];
  };
}

const INSTALL_TYPES = "upgrade the chart, or apply the resource types of this version (crds/manifests)";

/** Resource types by kind; undefined for one that is not there. */
export function typeFindings(types: ReadonlyMap<string, ResourceType | undefined>): readonly Finding[] {
  const versionOf = (type: ResourceType | undefined) =>
    type?.spec?.versions?.find(({ name, served }) => name === "v1alpha1" && served);
  const kinds = [...types.keys()];
  const missing = kinds.filter((kind) => versionOf(types.get(kind)) === undefined);
  const other = kinds.filter((kind) => {
    const schema = versionOf(types.get(kind))?.schema?.openAPIV3Schema;
    return schema !== undefined && schemaDigest(schema) !== SCHEMA_DIGESTS[kind];
  });
  const about = "resource types";
  return [
    ...(missing.length === 0
      ? []
      : [{ state: "problem", about, message: `not there: ${missing.join(", ")}`, next: INSTALL_TYPES } as const]),
    ...(other.length === 0
      ? []
      : [
          {
            state: "problem",
            about,
            message: `of another version than this zopp, so that fields may be dropped: ${other.join(", ")}`,
            next: `${INSTALL_TYPES}; where the cluster is newer, upgrade this command line`,
          } as const,
        ]),
    ...(missing.length + other.length === 0 ? [ok(about, `${kinds.length} kinds, as this version has them`)] : []),
  ];
}

/** Workspaces and environments of the cluster as this machine's pins judge them. */
export function policyFindings({
  workspaces,
  environments,
  bundles,
  baselines,
  problems,
}: Checked): readonly Finding[] {
  const ofBundles = new Set(bundles.flatMap((each) => each.problems));
  const found = problems.filter(({ error }) => !ofBundles.has(error)).map(({ error }) => findingOf("policy", error));
  const good = workspaces.map(({ name, version }) =>
    ok("policy", `workspace ${name} version ${version}, from the pin`),
  );
  if (found.length + good.length === 0)
    return [findingOf("policy", new ZoppError("NoPolicy", "there is no workspace in the cluster"))];
  const counted = `${amount(environments.length, "environment")}, ${amount(baselines.length, "baseline")}`;
  return [...good, ...found, ...(found.length === 0 ? [ok("policy", `${counted}, all of them good`)] : [])];
}

/** What a keyring says of itself and of one workspace, held against what lies in the cluster. */
export function keyringFindings(
  cluster: Cluster,
  said: Description,
  here: { readonly workspace: AcceptedWorkspace; readonly environments: Checked["environments"] },
): readonly Finding[] {
  const { name, version } = here.workspace;
  const who = `the keyring of ${cluster.name}`;
  const errors: ZoppError[] = [];
  if (!said.ready) errors.push(new ZoppError("NoPolicy", `${who} is not ready: ${said.reason ?? ""}`));
  if (said.cluster.log !== cluster.log)
    errors.push(new ZoppError("LedgerLost", `${who} has another log than the one that policy names`));
  const own = here.environments.filter((each) => each.path.startsWith(`${name}/`));
  const expected = [
    { name, version, state: said.workspaces.find((each) => each.name === name) },
    ...own.map(({ path, version }) => {
      const object = path.replaceAll("/", ".");
      return { name: object, version, state: said.environments.find((each) => each.name === object) };
    }),
  ];
  const refused = expected.flatMap(({ name, state }) => {
    if (state?.refused === undefined) return [];
    const { code, message } = state.refused;
    // it is another cluster's, and lies here because everything is applied everywhere
    if (code === "NotServedHere") return [];
    return [findingOf("keyring", new ZoppError(code, `${who} refuses ${name}: ${message}`))];
  });
  const late = expected
    .filter(({ version, state }) => state?.refused === undefined && (state?.accepted?.version ?? 0) < version)
    .map(({ name, version, state }): Finding => {
      const has = state?.accepted === undefined ? "has not accepted" : `goes by version ${state.accepted.version} of`;
      const message = `${who} ${has} ${name}, which has version ${version} in the cluster`;
      return { state: "warning", about: "keyring", message, next: WAIT };
    });
  const found = [...errors.map((error) => findingOf("keyring", error)), ...refused, ...late];
  if (found.some(({ state, next }) => state === "problem" || next === WAIT)) return found;
  return [ok("keyring", `${who} is ready and goes by the policy that the cluster has`), ...found];
}

const WAIT = "wait a minute; if it stays so, look at the keyring's log";

/** The long-running processes; what the chart ran once has ended. */
export function processFindings(pods: readonly ZoppPod[], namespace: string): readonly Finding[] {
  const about = "processes";
  const running = pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  const containers = running.flatMap((pod) => containersOf(pod).map((each) => ({ ...each, pod: pod.metadata.name })));
  const absent = ["operator", "keyring"].filter((name) => !containers.some((each) => each.name === name));
  const next = `kubectl describe pod --namespace ${namespace}; kubectl logs --namespace ${namespace} POD --container NAME`;
  const bad = containers
    .filter(({ ready }) => !ready)
    .map(({ pod, name, state, restartCount = 0 }) => {
      const why = state?.waiting?.reason === undefined ? "" : `: ${state.waiting.reason}`;
      const message = `${name} in pod ${pod} is not ready${why} (${amount(restartCount, "restart")})`;
      return { state: "problem", about, message, next } as const;
    });
  const gone = absent.map(
    (name) =>
      ({
        state: "problem",
        about,
        message: `no ${name} runs in ${namespace}`,
        next: "install the chart, or name its namespace by --keyring-namespace",
      }) as const,
  );
  return bad.length + gone.length > 0
    ? [...gone, ...bad]
    : [ok(about, `${containers.map(({ name }) => name).join(" and ")} are ready`)];
}

const NAMED = 5;

/** Bundles that are not Ready, by reason, and those that nobody has looked at. */
export function bundleFindings(secrets: readonly ZoppSecret[]): readonly Finding[] {
  const about = "bundles";
  const unseen = secrets.filter(({ metadata, status }) => status?.observedGeneration !== metadata.generation);
  const bad = secrets.filter((each) => !unseen.includes(each) && readyOf(each.status)?.status !== "True");
  const byReason = Map.groupBy(bad, ({ status }) => readyOf(status)?.reason ?? "Unknown");
  const reasons = [...byReason].map(([reason, some]): Finding => {
    const message = `${amount(some.length, "bundle")} not ready: ${listed(some)}`;
    const next = isErrorCode(reason) ? { next: ERRORS[reason].next } : {};
    return { state: "problem", about, reason, message, ...next };
  });
  const waiting: Finding[] =
    unseen.length === 0
      ? []
      : [
          {
            state: unseen.length === secrets.length ? "problem" : "warning",
            about,
            message: `the operator has not looked at ${amount(unseen.length, "bundle")}: ${listed(unseen)}`,
            next: "wait a minute; if it stays so, look at the operator's log, and whether it serves that namespace",
          },
        ];
  const good = secrets.length - bad.length - unseen.length;
  return [...(good > 0 || secrets.length === 0 ? [ok(about, `${good} ready`)] : []), ...reasons, ...waiting];
}

/** Bundles whose workloads wait for a restart, as the operator says it. */
export function restartFindings(secrets: readonly ZoppSecret[]): readonly Finding[] {
  const what = (bundles: string) => `workloads of ${bundles} wait for their restart`;
  return waiting(secrets, RESTART_PENDING, what, "names the workloads, and what to do,");
}

/** Why new values are not published until somebody does something. */
const ROTATION_STOPS: Readonly<Record<string, string>> = {
  RotationFailed: "the job failed",
  RotationDisabled: "the operator runs no jobs",
};

/** Bundles whose rotation has stopped, as the operator says it: they are ready, with the values of before. */
export function rotationFindings(secrets: readonly ZoppSecret[]): readonly Finding[] {
  const what = (bundles: string, reason: string) => {
    const why = ROTATION_STOPS[reason];
    return why && `new values of ${bundles} are not published, since ${why}`;
  };
  return waiting(secrets, ROTATION_PENDING, what, "says what to do");
}

/** Bundles with a certificate that is due and whose CA does not sign, as the operator says it: they are ready, with the one before. */
export function certificateFindings(secrets: readonly ZoppSecret[]): readonly Finding[] {
  const what = (bundles: string) => `certificates of ${bundles} are due, and their CA does not sign`;
  return waiting(secrets, CERTIFICATE_PENDING, what, "names the CA, and what to do,");
}

/** Bundles that are ready and wait for something, by the reason of their condition; what is no news is undefined. */
function waiting(
  secrets: readonly ZoppSecret[],
  condition: string,
  what: (bundles: string, reason: string) => string | undefined,
  tells: string,
): readonly Finding[] {
  const reasonOf = ({ status }: ZoppSecret) =>
    status?.conditions?.find(({ type, status }) => type === condition && status === "True")?.reason ?? "";
  return [...Map.groupBy(secrets, reasonOf)].flatMap(([reason, some]): Finding[] => {
    const said = reason === "" ? undefined : what(amount(some.length, "bundle"), reason);
    if (said === undefined) return [];
    const next = `\`zopp status BUNDLE --store cluster\` ${tells} in the condition ${condition}`;
    return [{ state: "warning", about: "bundles", reason, message: `${said}: ${listed(some)}`, next }];
  });
}

/** Bundles with values of a keyring that policy does not name, `clusters` being those that it does: a key that was renewed, mostly. */
export function generatedFindings(secrets: readonly ZoppSecret[], clusters: ReadonlySet<string>): readonly Finding[] {
  const stale = secrets.flatMap((secret) => {
    const { generated = {} } = secret.status ?? {};
    const rules = Object.entries(secret.spec.generate ?? {}).filter(([key]) => {
      const by = generated[key]?.by;
      return by !== undefined && !clusters.has(by);
    });
    return rules.length === 0 ? [] : [{ ...secret, spec: { ...secret.spec, generate: Object.fromEntries(rules) } }];
  });
  if (stale.length === 0) return [];
  const message = `generated values of ${amount(stale.length, "bundle")} are of a keyring that policy does not name, and open nowhere any more: ${listed(stale)}`;
  const [first = "", ...others] = againCommands(stale);
  const next = `have others made: \`${first}\`${others.length === 0 ? "" : `, and ${others.length} more`}`;
  return [{ state: "warning", about: "values", message, next }];
}

const DAY_MS = 86_400_000;

/** Values that end, as the operator says it. */
export function valueFindings(secrets: readonly ZoppSecret[], now: Date): readonly Finding[] {
  const about = "values";
  const soon = secrets.filter(({ status }) => (status?.expiring ?? []).length > 0);
  if (soon.length === 0) {
    const ends = secrets.flatMap((secret) => endingsOf(secret)).length;
    return [ok(about, ends === 0 ? "none has an end" : `${ends} have an end, none of them soon`)];
  }
  const all = soon.flatMap(({ status }) => status?.expiring ?? []);
  const ended = all.filter(({ reason }) => reason === "Expired").length;
  const last = Math.max(...all.map(({ expires }) => Date.parse(expires)));
  const days = Math.max(0, Math.ceil((last - now.getTime()) / DAY_MS));
  const message = `${amount(all.length, "value")} of ${listed(soon)} end soon or have ended (${ended} have)`;
  return [
    {
      state: "warning",
      about,
      message,
      next: `\`zopp status --expiring ${days}d\` lists them; write new ones with \`zopp set\``,
    },
  ];
}

function listed(secrets: readonly ZoppSecret[]): string {
  const names = secrets.map(placeOf);
  return names.length <= NAMED
    ? names.join(", ")
    : `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more`;
}

function amount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
