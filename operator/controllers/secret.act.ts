// Opens one bundle through the keyring and writes its Secret: the only place of the operator that holds plaintext.
// Decides nothing: whether to open, and how the Secret may be written, is the plan's.
import { placeOf } from "../../crds/bundle/case.js";
import { renderedFrom, renderTemplates } from "../../crds/bundle/render.js";
import { targetKeys, targetName } from "../../crds/bundle/target.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { KeyringClient, OpenResult } from "../keyring/client.types.js";
import type { ApiClient } from "../kube/client.js";
import { apiStatus } from "../kube/errors.js";
import { FIELD_MANAGER, type KubeObject, SECRETS } from "../kube/resources.js";
import { publishedVersions, valuesDigest } from "./generate.plan.js";
import type { Refused, Rotating, Synced } from "./secret.status.js";
import { contestedConflict } from "./target.conflict.js";
import { type AppliedSecret, type Hold, refuseWrongShape, secretObject } from "./target.js";
import { type SeenSecret, seenSecret } from "./target.seen.js";
import { type Closed, openGenerated, openValues } from "./values.js";

/** What opening and writing needs. */
export interface ActDeps {
  readonly client: Pick<ApiClient, "apply" | "replace">;
  readonly keyring: Pick<KeyringClient, "open">;
  /** Told of each Secret that was written, before anybody can see it in a watch. */
  wrote(secret: SeenSecret): void;
  /** Told how an opening ended and how long it took. */
  opened(result: string, seconds: number): void;
}

/** What is opened, and how it is written. */
export interface Act extends Closed {
  /** The bundle's digest as the operator computed it. */
  readonly digest: string;
  readonly hold: Hold;
  /** Field managers of others in the Secret that was looked at. */
  readonly managers: readonly string[];
  /** The Secret outlives the bundle; undefined: nobody has said, and it is not written. */
  readonly retain: boolean | undefined;
  readonly signal: AbortSignal;
}

/** The outcome, and what the keyring warned of. */
export interface Acted {
  readonly outcome: Synced | Rotating | Refused;
  readonly warnings: readonly string[];
}

/** What was opened; plaintext of every key, which is overwritten when whoever uses it has finished. */
export interface Opened {
  readonly plaintext: Map<string, Uint8Array>;
  readonly digest: string;
  readonly policy: readonly string[];
}

/** Opens and writes. Everything that goes wrong is an outcome; plaintext is overwritten before it returns. */
export function openAndWrite(act: Act, deps: ActDeps): Promise<Acted> {
  return openAnd(act, deps, (opened) => writeOpened(act, opened, deps));
}

/** Writes the Secret of what was opened. Throws why it cannot be written. */
export async function writeOpened(
  act: Act,
  { plaintext, digest, policy }: Opened,
  deps: Pick<ActDeps, "client" | "wrote">,
): Promise<Synced> {
  const data = contentOf(act.bundle, plaintext);
  const written = await write(act, data, deps);
  const { uid, resourceVersion } = written.metadata;
  const applied = valuesDigest(act.bundle, act.generated);
  const published = publishedVersions(act.bundle, act.generated);
  return { kind: "synced", digest, policy, target: { uid, resourceVersion }, entries: data.size, applied, published };
}

/** Opens, and does something with what was opened. Everything that goes wrong is an outcome. */
export async function openAnd(
  act: Act,
  deps: Omit<ActDeps, "client">,
  use: (opened: Opened) => Promise<Synced | Rotating>,
): Promise<Acted> {
  const answer = await open(act, deps);
  const { policy } = answer;
  const refused = (stage: Refused["stage"], error: ZoppError): Refused => ({
    kind: "refused",
    stage,
    error,
    policy,
    digest: act.digest,
  });
  if (!answer.ok) return { outcome: refused("verify", answer.error), warnings: [] };
  const plaintext = new Map<string, Uint8Array>();
  try {
    openValues(act, answer.keys, plaintext);
    openGenerated(act, answer.keys, plaintext);
    const outcome = await use({ plaintext, digest: answer.digest, policy });
    return { outcome, warnings: answer.warnings };
  } catch (thrown) {
    const error = asZoppError(thrown, `writing the Secret of ${placeOf(act.bundle)}`);
    const stage = error.code === "CannotOpen" ? "verify" : "sync";
    // what is used here is the Secret alone: a conflict about the bundle, or a Job, comes up elsewhere
    const outcome: Refused = { ...refused(stage, error), moved: error.code === "ApiConflict" };
    // it is the operator that lacks the environment: a status that names the keyring's policy would wait for another one
    const waitsForUs = error.code === "UnknownEnvironment";
    return { outcome: waitsForUs ? { ...outcome, policy: [] } : outcome, warnings: answer.warnings };
  } finally {
    for (const value of plaintext.values()) value.fill(0);
    for (const key of answer.keys.values()) key.fill(0);
  }
}

async function open({ bundle, generated, signal }: Act, deps: Omit<ActDeps, "client">): Promise<OpenResult> {
  const { namespace, name } = bundle.metadata;
  const startedAt = performance.now();
  const answer = await deps.keyring
    .open({ namespace, name, spec: bundle.spec, generated }, signal)
    .catch(
      (thrown): OpenResult => ({ ok: false, error: asZoppError(thrown, `opening ${namespace}/${name}`), policy: [] }),
    );
  deps.opened(answer.ok ? "ok" : answer.error.code, (performance.now() - startedAt) / 1000);
  return answer;
}

/** The data of the Secret: values and rendered templates by key, in the order of their names; nothing that only a job gets. */
export function contentOf(bundle: ZoppSecret, plaintext: Map<string, Uint8Array>): Map<string, Uint8Array> {
  const { render: templates = {} } = bundle.spec;
  const entries = renderedFrom(bundle);
  const rendered = renderTemplates({ what: placeOf(bundle), templates, entries, values: plaintext });
  for (const [key, value] of rendered) {
    plaintext.get(key)?.fill(0);
    plaintext.set(key, value); // so that they are overwritten too
  }
  const keys = new Set(targetKeys(bundle));
  const data = new Map([...plaintext].filter(([key]) => keys.has(key)).sort(([a], [b]) => (a < b ? -1 : 1)));
  refuseWrongShape(bundle, data);
  return data;
}

async function write(
  act: Act,
  data: Map<string, Uint8Array>,
  deps: Pick<ActDeps, "client" | "wrote">,
): Promise<SeenSecret> {
  const { bundle, hold, signal } = act;
  const object = secretObject(bundle, hold, data, retained(act));
  // what is created or merged into has no field of ours to take back by force
  const force = hold.mode === "update" || hold.mode === "adopt";
  try {
    const answer = await deps.client.apply(SECRETS, object, {
      fieldManager: FIELD_MANAGER,
      force,
      metadataOnly: true,
      signal,
    });
    let seen = seenSecret(answer);
    deps.wrote(seen);
    if (force && seen.writers.others.length > 0) {
      seen = seenSecret(await removeStrangers(object, answer, deps, signal));
      deps.wrote(seen);
    }
    return seen;
  } catch (error) {
    throw targetError(error, act);
  }
}

/** Without the keyring's word no owner is set, which would delete what must outlive its bundle, and none is left out. */
function retained({ bundle, hold, retain }: Act): boolean {
  if (retain !== undefined || hold.mode === "merge") return retain === true;
  const asks = `whether environment ${bundle.spec.environment} asks for approvals`;
  throw new ZoppError("KeyringUnavailable", `bundle ${placeOf(bundle)}: the keyring has not told yet ${asks}`);
}

/** Keys that others put into a Secret that is wholly ours: server-side apply leaves them, so the whole is replaced. */
function removeStrangers(
  object: AppliedSecret,
  answer: KubeObject,
  deps: Pick<ActDeps, "client">,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { managedFields: _, ...metadata } = answer.metadata;
  return deps.client.replace(SECRETS, { ...object, metadata } as AppliedSecret, { metadataOnly: true, signal });
}

const IMMUTABLE_FIELDS = new Set(["data", "type", "immutable"]);

/** What the API server's refusal means for the bundle. Its text is never shown: it can quote the Secret. */
function targetError(error: unknown, { bundle, hold, managers }: Act): ZoppError {
  const failure = apiStatus(error);
  const refused = asZoppError(error, `writing the Secret of ${placeOf(bundle)}`);
  if (failure === null) return refused;
  const what = `bundle ${placeOf(bundle)}: the Secret ${targetName(bundle)}`;
  const fields = refused.fields.map(({ path }) => path);
  // the API server calls it invalid that another Secret stands there than the one that was looked at
  if (failure.status === 422 && fields.includes("metadata.uid")) {
    return new ZoppError("ApiConflict", `${what} is another one than was looked at`, { cause: failure });
  }
  if (failure.status === 422 && fields.some((path) => IMMUTABLE_FIELDS.has(path))) {
    return new ZoppError("TargetImmutable", `${what} does not allow a change of ${fields.join(", ")}`, {
      cause: failure,
    });
  }
  if (failure.status === 403) {
    return new ZoppError("TargetDenied", `${what} cannot be written: the API server answered ${failure.reason}`, {
      cause: failure,
    });
  }
  if (hold.mode !== "merge") return refused;
  const contested = targetKeys(bundle).filter((key) => fields.includes(`.data.${key}`));
  return contested.length === 0 ? refused : contestedConflict(bundle, contested, managers);
}
