// `zopp expire`: another end, or none, for values that stay as they are. What is signed of a version never changes, and a
// value is sealed to its version: so each is read, sealed and signed anew.
import type { Policy } from "../../crds/bundle/case.js";
import type { Writing } from "../../crds/bundle/edit.js";
import { type ErrorCode, ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import {
  bundleName,
  environmentOf,
  needBundle,
  notesOn,
  refuseMisshapen,
  refuseOther,
  refuseUnaccepted,
  refuseUnsound,
} from "../bundles.js";
import type { KeyringOptions } from "../keyring-call.js";
import type { Result } from "../output.js";
import { acceptPolicy, refuseWithout, signerOf } from "../policy.js";
import { type ReadValues, readValuesOf, refuseMissing } from "../reading.js";
import { sealAll, startOf, unchangedSince } from "../sealing.js";
import type { Session } from "../session.js";
import { change } from "../store/store.js";
import { expiryOf, spanOf } from "./options.js";

/** The flags of `zopp expire`. */
export interface ExpireOptions extends KeyringOptions {
  readonly in?: string;
  readonly at?: string;
  readonly never?: boolean;
  readonly namespace?: string;
  readonly environment?: string;
}

/** Runs `zopp expire BUNDLE KEY...`. */
export async function run(
  session: Session,
  [bundle = "", ...named]: readonly string[],
  options: ExpireOptions,
): Promise<Result> {
  const now = session.context.now();
  const expires = endOf(options, now);
  const { secret } = await needBundle(session, bundleName(bundle, options.namespace), options.environment);
  refuseOther(session, secret, options.environment);
  const policy = await acceptPolicy(session, environmentOf(secret));
  const identity = await session.identity();
  const { principal } = signerOf(policy.workspace, identity);
  for (const key of named) refuseWithout(policy, principal.name, "write", now, key);
  refuseMissing(secret, named);
  const keys = [...new Set(named)].filter((key) => secret.spec.data?.[key]?.expires !== expires);
  if (keys.length === 0) return { data: { changed: [] }, human: ["nothing was changed"] };
  const { values, notes } = await valuesOf(session, { secret, policy, keys, options, reader: principal.name });
  try {
    const writing = { environment: policy.environment, signingKey: identity.signing, now, expires };
    const { written, where } = await write(session, secret, values, policy, writing);
    return report(written, keys, expires, where, [...notes, ...notesOn(written, policy, now)]);
  } finally {
    for (const value of values.values()) value.fill(0);
  }
}

function endOf(options: ExpireOptions, now: Date): string | undefined {
  const { in: span, at: time, never } = options;
  if ([span, time, never].filter((each) => each !== undefined).length !== 1)
    throw new ZoppError("Usage", "say when: one of --in 90d, --at 2027-02-18 and --never");
  if (span !== undefined && spanOf(span) === undefined) throw new ZoppError("Usage", "--in is 90d, 12h or 2w");
  if (time !== undefined && spanOf(time) !== undefined)
    throw new ZoppError("Usage", "--at is 2027-02-18 or 2027-02-18T00:00:00Z");
  return expiryOf(span ?? time, now, span === undefined ? "--at" : "--in");
}

/** What is read. */
interface Read {
  readonly secret: ZoppSecret;
  readonly policy: Policy;
  readonly keys: readonly string[];
  readonly options: ExpireOptions;
  readonly reader: string;
}

/**
 * The values. Nobody looks at them, and the new signature vouches for them: so the old one must hold as a keyring judges
 * it that has accepted nothing yet. An unknown author's, or a value that waits for approval, would become the signer's own.
 */
async function valuesOf(session: Session, { secret, policy, keys, options, reader }: Read): Promise<ReadValues> {
  const { namespace, name } = secret.metadata;
  try {
    refuseUnaccepted(secret, policy, keys, session.context.now());
    const read = await readValuesOf(session, { ...options, secret, policy, keys });
    if (read.withheld.length === 0) return read;
    for (const value of read.values.values()) value.fill(0);
    const text = `${reader} may not read ${read.withheld.join(", ")} of bundle ${namespace}/${name}`;
    throw new ZoppError("NotAuthorised", text);
  } catch (error) {
    if (!(error instanceof ZoppError) || !SET_HELPS.has(error.code)) throw error;
    const hint = `another end needs the value: write it again by \`zopp set ${namespace}/${name} ${keys.join(" ")} --expires …\``;
    throw new ZoppError(error.code, `${error.message}; ${hint}`, { cause: error });
  }
}

/** Why a value cannot be read, or not be vouched for, though whoever knows it may write it. */
const SET_HELPS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "UnknownSigner",
  "NotAuthorised",
  "SignatureInvalid",
  "PendingApproval",
  "UnknownEpoch",
  "RollbackRefused",
  "NotRecipient",
  "BrokeredOnly",
  "CannotOpen",
  "KeyringUnavailable",
]);

async function write(
  session: Session,
  read: ZoppSecret,
  values: ReadonlyMap<string, Uint8Array>,
  policy: Policy,
  writing: Writing & { readonly expires: string | undefined },
): Promise<{ readonly written: ZoppSecret; readonly where: readonly string[] }> {
  const { namespace, name } = read.metadata;
  const keys = [...values.keys()];
  let written = read;
  const make = (present: ZoppSecret | undefined): ZoppSecret => {
    const same = unchangedSince(read, present, keys);
    const start = startOf(same, { place: read.metadata, header: {}, policy, writing, sign: false });
    written = sealAll(start, values, writing);
    refuseUnsound(written, policy, keys, writing.now);
    return refuseMisshapen(written);
  };
  const where = await (await session.store()).write([change("ZoppSecret", { namespace, name }, make)]);
  return { written, where };
}

function report(
  { metadata, spec }: ZoppSecret,
  keys: readonly string[],
  expires: string | undefined,
  where: readonly string[],
  notes: readonly string[],
): Result {
  const place = `${metadata.namespace}/${metadata.name}`;
  const what = expires === undefined ? "has no end any more" : `ends at ${expires}`;
  return {
    data: {
      bundle: place,
      environment: spec.environment,
      changed: keys,
      expires,
      where: where[0],
    },
    names: [`zoppsecret/${place}`],
    human: [`${keys.join(", ")}: ${what}, in ${place} of ${spec.environment} (${where.join(", ")})`],
    notes,
  };
}
