// What a target Secret must look like: the marks by which it is ours, and the contents of its type.
// Its name and keys are the bundle's (crds/bundle/target.ts), types and labels policy's (crds/policy/target.ts); whether
// it may be written is the plan's.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { placeOf } from "../../crds/bundle/case.js";
import { keysMissing, MAX_SECRET_BYTES, targetName, targetType } from "../../crds/bundle/target.js";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import {
  apiVersionOf,
  type KubeObject,
  NEVER_STORED,
  type ObjectMeta,
  type OwnerReference,
  ZOPP_SECRETS,
} from "../kube/resources.js";

/** How a Secret may be written. */
export interface Hold {
  /** `create`: only if there is none; `update`: ours; `adopt`: told to take it over; `merge`: told to add our keys. */
  readonly mode: "create" | "update" | "adopt" | "merge";
  /** The Secret that was looked at: writing another one under the same name fails. */
  readonly uid?: string | undefined;
  /** The version that was looked at: a write that comes late, after another operator's, fails. */
  readonly resourceVersion?: string | undefined;
}

/** On every Secret that zopp writes to, whole or in part: the operator watches Secrets by this label only. */
export const MANAGED_LABEL = "zopp.dev/managed";
/** The conventional label; only on Secrets that are wholly ours. */
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
/** Names the bundle that a Secret is made from. A Secret is ours when this names our bundle. */
export const BUNDLE_ANNOTATION = "zopp.dev/bundle";
/** Set by people on a Secret that is not ours: the named bundle takes it over, other keys are removed. */
export const ADOPT_ANNOTATION = "zopp.dev/adopt";
/** Set by people on a Secret that is not ours: the named bundle writes its keys into it and leaves the rest. */
export const MERGE_ANNOTATION = "zopp.dev/merge";
/** On a bundle: a new value makes the operator open and write it again, whatever its status says. */
export const RECONCILE_ANNOTATION = "zopp.dev/reconcile";

/** Exactly the fields that the operator wants to own of a Secret. */
export interface AppliedSecret extends KubeObject {
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data: Readonly<Record<string, string>>;
}

/**
 * The Secret as it is applied: data (base64 by key, in the order given), marks, and what the target asks for.
 * A merged Secret gets our keys and the label by which it is watched, nothing else. `retain`: without an owner, so
 * that it outlives the bundle.
 */
export function secretObject(bundle: ZoppSecret, hold: Hold, data: Data, retain: boolean): AppliedSecret {
  const { namespace } = bundle.metadata;
  const encoded: Record<string, string> = {};
  for (const [key, value] of data) encoded[key] = encodeBase64(value);
  const base = { name: targetName(bundle), namespace, ...precondition(hold) };
  if (hold.mode === "merge") return { metadata: { ...base, labels: { [MANAGED_LABEL]: "keys" } }, data: encoded };
  const { labels, annotations, immutable } = bundle.spec.target ?? {};
  return {
    metadata: {
      ...base,
      labels: { ...labels, [MANAGED_LABEL]: "whole", [MANAGED_BY_LABEL]: "zopp" },
      annotations: { ...annotations, [BUNDLE_ANNOTATION]: bundle.metadata.name },
      ...(retain ? {} : { ownerReferences: [ownerReference(bundle)] }),
    },
    type: targetType(bundle),
    ...(immutable === true ? { immutable } : {}),
    data: encoded,
  };
}

/** Whatever stands under the name already must be the Secret that was looked at. */
function precondition({ mode, uid, resourceVersion }: Hold): Partial<ObjectMeta> {
  if (mode === "create") return { resourceVersion: NEVER_STORED };
  return { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
}

/** The bundle as the owner of what goes with it. */
export function ownerReference({ metadata }: ZoppSecret): OwnerReference {
  const { name, uid = "" } = metadata;
  return { apiVersion: apiVersionOf(ZOPP_SECRETS), kind: ZOPP_SECRETS.kind, name, uid, controller: true };
}

type Data = ReadonlyMap<string, Uint8Array>;
type Check = (data: Data) => string | undefined;

const decoder = new TextDecoder();
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z0-9]+ )?PRIVATE KEY-----/;

/** What the contents of each built-in type must be; the first that is not is the problem. Other types demand nothing. */
const SHAPES: Readonly<Record<string, readonly Check[]>> = {
  "kubernetes.io/tls": [tlsPair],
  "kubernetes.io/ssh-auth": [sshKey],
  "kubernetes.io/dockerconfigjson": [json(".dockerconfigjson", "auths")],
  "kubernetes.io/dockercfg": [json(".dockercfg")],
};

/**
 * Refuses data that does not fit the type of the bundle's Secret. Messages name the key and never quote contents.
 * Throws TargetShape; TooLarge when all values together are over 1 MiB.
 */
export function refuseWrongShape(bundle: ZoppSecret, data: Data): void {
  const [missing] = keysMissing(bundle);
  if (missing !== undefined) throw missing;
  const what = `bundle ${placeOf(bundle)}`;
  const type = targetType(bundle);
  for (const check of Object.hasOwn(SHAPES, type) ? (SHAPES[type] ?? []) : []) {
    const problem = check(data);
    if (problem !== undefined) throw new ZoppError("TargetShape", `${what}: a Secret of type ${type} ${problem}`);
  }
  let total = 0;
  for (const value of data.values()) total += value.length;
  if (total > MAX_SECRET_BYTES) {
    throw new ZoppError("TooLarge", `${what}: its values hold ${total} bytes, a Secret at most ${MAX_SECRET_BYTES}`);
  }
}

/**
 * What `kubectl create secret tls` demands: a server that gets one half of a change does not start with it. Of a chain the
 * first certificate counts; an encrypted key is none, since nobody has its passphrase.
 */
function tlsPair(data: Data): string | undefined {
  const certificate = readable(() => new X509Certificate(textOf(data, "tls.crt")));
  if (certificate === undefined) return "needs a PEM certificate in tls.crt";
  const key = readable(() => createPrivateKey(textOf(data, "tls.key")));
  if (key === undefined) return "needs a PEM private key without a passphrase in tls.key";
  return certificate.checkPrivateKey(key)
    ? undefined
    : "needs in tls.key the private key of the certificate in tls.crt";
}

/** By its frame alone: OpenSSH has a form of its own, which nothing here reads. */
function sshKey(data: Data): string | undefined {
  const isKey = PRIVATE_KEY.test(textOf(data, "ssh-privatekey"));
  return isKey ? undefined : "needs a PEM private key in ssh-privatekey";
}

function json(key: string, member?: string): Check {
  return (data) => {
    const parsed = parseObject(textOf(data, key));
    if (parsed === undefined) return `needs a JSON object in ${key}`;
    if (member === undefined) return undefined;
    return isObject(parsed[member]) ? undefined : `needs an object "${member}" in the JSON of ${key}`;
  };
}

function textOf(data: Data, key: string): string {
  return decoder.decode(data.get(key));
}

function parseObject(text: string): Record<string, unknown> | undefined {
  const parsed = readable(() => JSON.parse(text) as unknown);
  return isObject(parsed) ? parsed : undefined;
}

/** Undefined where the parser throws: its message may quote the text. */
function readable<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
