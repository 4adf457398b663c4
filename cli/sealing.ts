// Values into a bundle, as `set` and `import` put them: the bundle to start from, its entries sealed and signed.
// Whether the writer may do so, and what is stored, is the commands' business.
import { type Policy, placeOf } from "../crds/bundle/case.js";
import { newBundle, setEntry, signHeader, type Writing } from "../crds/bundle/edit.js";
import { ZoppError } from "../crds/errors.js";
import { ruleFor } from "../crds/policy/environment.js";
import type { Entry, ZoppSecret } from "../crds/types.gen.js";
import { refuseUnsound } from "./bundles.js";

/** What a new bundle's header says besides its environment. */
export type Header = Pick<ZoppSecret["spec"], "target" | "restart">;

/** Where values go, and how a bundle is made that is not there. */
export interface Start {
  readonly place: { readonly namespace: string; readonly name: string };
  readonly header: Header;
  readonly policy: Policy;
  readonly writing: Writing;
  /** Sign the header of a bundle that is there again. */
  readonly sign: boolean;
}

/** The bundle that values go into: its header is verified before anything is sealed for the environment that it names. */
export function startOf(present: ZoppSecret | undefined, { place, header, policy, writing, sign }: Start): ZoppSecret {
  if (present === undefined) return newBundle({ ...place, ...header }, writing);
  if (present.spec.environment !== policy.environment.path)
    throw new ZoppError("ApiConflict", "the bundle changed its environment meanwhile");
  if (sign) return { ...present, spec: { ...present.spec, header: signHeader(present, writing) } };
  refuseUnsound(present, policy, [], writing.now);
  return present;
}

/** The bundle as it is now, where these keys, and the header if asked, are as they were when it was read. Throws ApiConflict. */
export function unchangedSince(
  read: ZoppSecret,
  present: ZoppSecret | undefined,
  keys: readonly string[],
  { header = false } = {},
): ZoppSecret {
  const stale = keys.find((key) => present?.spec.data?.[key]?.signature !== read.spec.data?.[key]?.signature);
  const isOther = header && present?.spec.header.signature !== read.spec.header.signature;
  if (present !== undefined && stale === undefined && !isOther) return present;
  const part = present === undefined ? "" : `${stale ?? "the header"} of `;
  throw new ZoppError("ApiConflict", `${part}bundle ${placeOf(read)} was changed meanwhile`);
}

/** The bundle with these values sealed and signed, its keys sorted. Throws TooLarge. */
export function sealAll(
  start: ZoppSecret,
  values: ReadonlyMap<string, Uint8Array>,
  writing: Parameters<typeof setEntry>[3],
): ZoppSecret {
  const data: Record<string, Entry> = { ...start.spec.data };
  for (const [key, value] of values) data[key] = setEntry(start, key, value, writing);
  const sorted = Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...start, spec: { ...start.spec, data: sorted } };
}

/** The namespace of a new bundle that names none. Throws Usage where the environment serves several. */
export function onlyNamespace(policy: Policy): string {
  const { namespaces } = ruleFor(policy.workspace, policy.environment.scope);
  const [only, another] = namespaces;
  if (only !== undefined && another === undefined && !only.endsWith("*")) return only;
  throw new ZoppError(
    "Usage",
    `name the bundle's namespace: environment ${policy.environment.path} serves ${namespaces.join(", ")}`,
  );
}
