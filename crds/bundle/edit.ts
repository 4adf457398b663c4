// Writes a bundle's signed parts: a sealed entry, a tombstone, a header. Data in, data out.
// Whether the writer may do so is verify.ts' business, which every command runs before it stores anything.
import { encodeBase64 } from "../crypto/encoding.js";
import { sealEntry } from "../crypto/entry.js";
import type { SigningKey } from "../crypto/identity.js";
import { ZoppError } from "../errors.js";
import type { AcceptedEnvironment } from "../policy/environment.js";
import { nextVersion } from "../policy/versions.js";
import { entryStatement, headerStatement, signStatement } from "../statement.js";
import type { Entry, SecretSpec, ZoppSecret } from "../types.gen.js";
import { entryFacts, signedPlace } from "./statements.js";

/** The longest value an entry can hold, in bytes. */
export const MAX_VALUE_BYTES = 64 * 1024;

/** Who writes, when, and under which (accepted) environment. */
export interface Writing {
  readonly environment: AcceptedEnvironment;
  readonly signingKey: SigningKey;
  readonly now: Date;
}

/** Everything of a new bundle but its entries. */
export interface NewBundle extends Pick<SecretSpec, "target" | "render" | "restart" | "generate" | "rotation"> {
  readonly namespace: string;
  readonly name: string;
}

/** Starts a bundle without entries, with a signed header. */
export function newBundle(bundle: NewBundle, writing: Writing): ZoppSecret {
  const { namespace, name, ...rest } = bundle;
  const blank: ZoppSecret = {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { name, namespace },
    spec: { environment: writing.environment.path, ...rest, header: { version: 0, by: "", signature: "" } },
  };
  return { ...blank, spec: { ...blank.spec, header: signHeader(blank, writing) } };
}

/** Signs a bundle's header as it stands, at the next version after the one it has. Approvals do not carry over. */
export function signHeader(secret: ZoppSecret, writing: Writing): SecretSpec["header"] {
  const { environment, signingKey, now } = writing;
  const unsigned = {
    version: nextVersion(secret.spec.header.version, now),
    by: signingKey.verifyKey.kid,
    signature: "",
  };
  const place = signedPlace(secret, environment.newest.facts.binding);
  const statement = headerStatement(place, { ...secret.spec, header: unsigned });
  return { ...unsigned, signature: signStatement(signingKey, statement) };
}

/**
 * Seals a value at the newest epoch and signs the entry, at the next version after the key's present one.
 * Throws TooLarge for a value over 64 KiB.
 */
export function setEntry(
  secret: ZoppSecret,
  key: string,
  value: Uint8Array,
  writing: Writing & { readonly expires?: string | undefined },
): Entry {
  if (value.length > MAX_VALUE_BYTES) {
    throw new ZoppError("TooLarge", `${key}: the value has ${value.length} bytes, the limit is ${MAX_VALUE_BYTES}`);
  }
  const { newest } = writing.environment;
  const version = nextVersion(secret.spec.data?.[key]?.version, writing.now);
  const { workspace, project, environment } = writing.environment.object.spec;
  const { namespace, name } = signedPlace(secret, newest.facts.binding);
  const context = { workspace, project, environment, epoch: newest.facts.epoch, namespace, name, key, version };
  const sealed = encodeBase64(sealEntry(newest.key, context, value));
  return signEntry(secret, key, { version, expires: writing.expires, sealed, to: newest.key.kid }, writing);
}

/** A signed tombstone for a key, at the next version after its present one: the Secret loses the key. */
export function retireEntry(secret: ZoppSecret, key: string, writing: Writing): Entry {
  const version = nextVersion(secret.spec.data?.[key]?.version, writing.now);
  return signEntry(secret, key, { version, retired: true }, writing);
}

type Unsigned = Pick<Entry, "version" | "expires" | "retired" | "sealed" | "to">;

/** Puts the fields in the order in which git merges them best: `to`, which seldom changes, comes last. */
function signEntry(secret: ZoppSecret, key: string, unsigned: Unsigned, writing: Writing): Entry {
  const { version, expires, retired, sealed, to } = unsigned;
  const by = writing.signingKey.verifyKey.kid;
  const facts = entryFacts(key, { version, by, expires, retired, sealed, signature: "", to } as Entry);
  const place = signedPlace(secret, writing.environment.newest.facts.binding);
  const signature = signStatement(writing.signingKey, entryStatement(place, facts));
  return {
    version,
    by,
    ...(expires === undefined ? {} : { expires }),
    ...(retired === undefined ? {} : { retired }),
    ...(sealed === undefined ? {} : { sealed }),
    signature,
    ...(to === undefined ? {} : { to }),
  };
}
