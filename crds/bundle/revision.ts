// A state of a bundle that was applied, as it is kept beside the bundle: a ControllerRevision (apps/v1) with the spec as it was.
// It proves nothing by itself: whoever uses one verifies what it holds, as everything that lies in the API.
import { pae } from "../crypto/pae.js";
import { sha256Hex } from "../crypto/primitives.js";
import { ZoppError } from "../errors.js";
import type { SecretSpec, ZoppSecret } from "../types.gen.js";
import { parseSecret } from "../validate.js";

/** On every kept state: the uid of its bundle. */
export const BUNDLE_UID_LABEL = "zopp.dev/bundle-uid";
/** The digest of the state that is kept. */
const DIGEST_ANNOTATION = "zopp.dev/digest";
/** When it was applied. */
const APPLIED_ANNOTATION = "zopp.dev/applied";

const API_VERSION = "zopp.dev/v1alpha1";
const KIND = "ZoppSecret";
const MAX_NAME = 253;

/** The bundle that a state is one of. */
export interface Kept {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** One state that was applied. */
export interface AppliedState {
  /** The bundle's generation at that time: it counts up, with gaps. */
  readonly revision: number;
  readonly digest: string;
  /** RFC 3339, in seconds; undefined = nobody knows any more. */
  readonly applied?: string | undefined;
  readonly spec: SecretSpec;
}

/** What of a ControllerRevision is read here. */
interface Revision {
  readonly metadata: {
    readonly name: string;
    readonly creationTimestamp?: string | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
  readonly revision?: number;
  readonly data?: unknown;
}

/** The name of a kept state: the same state of the same bundle has one name, whoever writes it and how often. */
export function revisionName({ name, uid }: Pick<Kept, "name" | "uid">, digest: string): string {
  const hash = sha256Hex(pae("zopp/v1/revision", uid, digest)).slice(0, 16);
  return `${name.slice(0, MAX_NAME - hash.length - 1).replace(/[-.]+$/, "")}-${hash}`;
}

/** The ControllerRevision of a state, deleted with its bundle. */
export function revisionObject(bundle: Kept, { revision, digest, applied, spec }: AppliedState) {
  const { name, namespace, uid } = bundle;
  return {
    metadata: {
      name: revisionName(bundle, digest),
      namespace,
      labels: { [BUNDLE_UID_LABEL]: uid },
      annotations: { [DIGEST_ANNOTATION]: digest, ...(applied === undefined ? {} : { [APPLIED_ANNOTATION]: applied }) },
      ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, name, uid, controller: true }],
    },
    revision,
    data: { apiVersion: API_VERSION, kind: KIND, spec },
  };
}

/** True for what the name says to be a state of this bundle: a ControllerRevision of somebody else cannot be called so. */
export function isRevisionOf(bundle: Pick<Kept, "name" | "uid">, { metadata }: Revision): boolean {
  const digest = metadata.annotations?.[DIGEST_ANNOTATION];
  return digest !== undefined && metadata.name === revisionName(bundle, digest);
}

/** A kept state, parsed strictly: the bundle as it was, verified by nobody. Throws Malformed, TooLarge. */
export function parseRevision(bundle: Kept, found: Revision): AppliedState & { readonly secret: ZoppSecret } {
  const { name, namespace } = bundle;
  const { metadata, revision = 0, data } = found;
  const { apiVersion, kind, spec } = (typeof data === "object" && data !== null ? data : {}) as Partial<ZoppSecret>;
  try {
    const secret = parseSecret({ apiVersion, kind, metadata: { name, namespace }, spec });
    const digest = metadata.annotations?.[DIGEST_ANNOTATION] ?? "";
    const applied = metadata.annotations?.[APPLIED_ANNOTATION] ?? metadata.creationTimestamp;
    return { revision, digest, applied, spec: secret.spec, secret };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    throw new ZoppError(error.code, `revision ${revision} (${metadata.name}): ${error.message}`, {
      fields: error.fields,
    });
  }
}
