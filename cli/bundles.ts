// Finds bundles by the name that a person types, and checks what of a bundle a command relies on or has written.
// Rules are crds/bundle's; this says which parts of them a command needs.

import type { Policy } from "../crds/bundle/case.js";
import { templateProblems } from "../crds/bundle/render.js";
import { keysMissing } from "../crds/bundle/target.js";
import { type Examined, examineBundle, verifyBundle } from "../crds/bundle/verify.js";
import { ZoppError } from "../crds/errors.js";
import type { Entry, ZoppSecret } from "../crds/types.gen.js";
import { parseSecret } from "../crds/validate.js";
import type { Session } from "./session.js";
import { type EnvironmentPath, environmentPath, pathText, type Settings } from "./settings.js";
import { type ObjectName, parseFound } from "./store/store.js";

/** A bundle as it lies in the store. */
export interface StoredBundle {
  readonly secret: ZoppSecret;
  readonly where: string;
}

const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** True for what can name a bundle, or a namespace. */
export function isBundleName(text: string): boolean {
  return NAME.test(text);
}

/** Reads `api` or `shop-dev/api`, with the namespace of a flag. Throws Usage. */
export function bundleName(text: string, namespace: string | undefined): ObjectName {
  const parts = text.split("/");
  const [first = "", second] = parts;
  const name = second ?? first;
  if (parts.length > 2 || !parts.every(isBundleName))
    throw new ZoppError("Usage", "a bundle reads NAME or NAMESPACE/NAME");
  if (second !== undefined && namespace !== undefined && namespace !== first)
    throw new ZoppError("Usage", "two namespaces are named");
  return { namespace: second === undefined ? namespace : first, name };
}

/**
 * Finds a bundle; undefined when there is none. `environment` (as a person names it) narrows a name without a namespace.
 * Throws Usage when several namespaces have one, Malformed as the store.
 */
export async function findBundle(
  session: Session,
  wanted: ObjectName,
  environment?: string,
): Promise<StoredBundle | undefined> {
  const store = await session.store();
  if (store.kind === "cluster" && wanted.namespace !== undefined) {
    // one object takes fewer rights than a list of all
    const secret = await store.read("ZoppSecret", wanted);
    return secret === undefined ? undefined : { secret, where: store.title };
  }
  const { objects, problems } = await store.contents();
  const named = objects.filter(({ kind, name }) => kind === "ZoppSecret" && name === wanted.name);
  const path = environment === undefined ? undefined : pathText(environmentPath(environment, session.settings));
  const found = named.filter(({ namespace, value }) => {
    if (wanted.namespace !== undefined) return namespace === undefined || namespace === wanted.namespace;
    return path === undefined || (value as { spec?: { environment?: unknown } }).spec?.environment === path;
  });
  const places = new Set(found.map(({ namespace }) => namespace));
  if (places.size > 1) {
    const list = [...places].map((namespace) => `${namespace ?? "(none)"}/${wanted.name}`).join(", ");
    throw new ZoppError("Usage", `several bundles have that name: ${list}`);
  }
  const [first] = found;
  if (first === undefined) {
    if (problems[0] !== undefined) throw problems[0].error;
    return undefined;
  }
  const secret = parseFound("ZoppSecret", first.value, first.where);
  // refuses what stands there twice
  await store.read("ZoppSecret", { namespace: secret.metadata.namespace, name: wanted.name });
  return { secret, where: first.where };
}

/** The bundles of an environment. Throws what cannot be read: what is passed over would be missing afterwards. */
export async function bundlesOf(session: Session, environment: string): Promise<readonly ZoppSecret[]> {
  const { objects, problems } = await (await session.store()).contents();
  if (problems[0] !== undefined) throw problems[0].error;
  return objects
    .filter(({ kind }) => kind === "ZoppSecret")
    .map(({ value, where }) => parseFound("ZoppSecret", value, where))
    .filter(({ spec }) => spec.environment === environment);
}

/** Finds a bundle that must be there. Throws NotFound, and as findBundle. */
export async function needBundle(session: Session, wanted: ObjectName, environment?: string): Promise<StoredBundle> {
  const found = await findBundle(session, wanted, environment);
  if (found !== undefined) return found;
  const { title } = await session.store();
  throw new ZoppError(
    "NotFound",
    `there is no bundle ${[wanted.namespace, wanted.name].filter(Boolean).join("/")} in ${title}`,
  );
}

/** Throws Usage when a bundle belongs to another environment than the one that was named. */
export function refuseOther(session: Session, secret: ZoppSecret, environment: string | undefined): void {
  if (environment === undefined) return;
  const named = pathText(environmentPath(environment, session.settings));
  if (named === secret.spec.environment) return;
  throw new ZoppError("Usage", `bundle ${secret.metadata.name} belongs to ${secret.spec.environment}, not to ${named}`);
}

/** The environment that a bundle names. */
export function environmentOf(secret: ZoppSecret): EnvironmentPath {
  const none: Settings = {};
  return environmentPath(secret.spec.environment, none);
}

/**
 * The bundle with only some of its entries: its header does not cover `data`, so that these and the header can be
 * verified alone. A broken entry must not keep people from repairing it, nor from writing another.
 */
function part(secret: ZoppSecret, keys: readonly string[]): ZoppSecret {
  const data: Record<string, Entry> = Object.create(null);
  for (const key of keys) {
    const entry = secret.spec.data?.[key];
    if (entry !== undefined) data[key] = entry;
  }
  return { ...secret, spec: { ...secret.spec, data } };
}

/** Throws what is wrong with the header and the named entries, as a keyring would judge them; waiting for approval is not wrong. */
export function refuseUnsound(secret: ZoppSecret, policy: Policy, keys: readonly string[], now: Date): void {
  refuseProblems(examineBundle({ ...policy, secret: part(secret, keys), now }));
}

/** As refuseUnsound, for what is signed in the place of its author: also what waits for approval is refused. */
export function refuseUnaccepted(secret: ZoppSecret, policy: Policy, keys: readonly string[], now: Date): void {
  verifyBundle({ ...policy, secret: part(secret, keys), now });
}

/** Throws the gravest problem; waiting for approval is none. */
export function refuseProblems({ problems }: Examined): void {
  const [problem] = problems.filter(({ code }) => code !== "PendingApproval");
  if (problem !== undefined) throw problem;
}

/**
 * Verifies header and named entries, or all, as a reader who has no ledger: authors who left are warnings, and so is what
 * waits for approval, which people look at before they approve it. Throws as verifyBundle.
 */
export function verifyForReading(
  secret: ZoppSecret,
  policy: Policy,
  keys: readonly string[] | undefined,
  now: Date,
): readonly ZoppError[] {
  const read = keys === undefined ? secret : part(secret, keys);
  const examined = examineBundle({ ...policy, secret: read, now, lenient: true });
  refuseProblems(examined);
  return [...examined.warnings, ...examined.problems];
}

/** Strict shape of a bundle that is about to be stored. Throws Malformed or TooLarge. */
export function refuseMisshapen(secret: ZoppSecret): ZoppSecret {
  return parseSecret(JSON.parse(JSON.stringify(secret)));
}

/** What a person should hear of a bundle after a change. */
export function notesOn(secret: ZoppSecret, policy: Policy, now: Date): readonly string[] {
  const examined: Examined = examineBundle({ ...policy, secret, now, lenient: true });
  const bytes = JSON.stringify(secret).length;
  return [
    ...[...examined.problems, ...keysMissing(secret), ...templateProblems(secret)].map(
      (problem) => `${problem.code}: ${problem.message}`,
    ),
    ...examined.warnings.map((warning) => `${warning.code}: ${warning.message}`),
    ...(bytes > APPLY_LIMIT_BYTES
      ? [`the bundle has ${Math.ceil(bytes / 1024)} KiB: client-side apply takes at most 240; use server-side apply`]
      : []),
  ];
}

/** kubectl's client-side apply puts the object in an annotation of at most 256 KiB. */
const APPLY_LIMIT_BYTES = 240 * 1024;
