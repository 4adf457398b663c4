// What approvers sign of a bundle, and their signatures beside the authors'. Data in, data out.
// Who may approve, and whether what is approved is sound, is the caller's business.
import type { SigningKey } from "../crypto/identity.js";
import type { AcceptedEnvironment } from "../policy/environment.js";
import { entryStatement, headerStatement, type Statement, signStatement } from "../statement.js";
import type { Entry, ZoppSecret } from "../types.gen.js";
import { bindingsOf } from "./case.js";
import { entryFacts, entryPlace, signedPlace } from "./statements.js";

/** The statement that approves a bundle's header. */
export function headerApproval(secret: ZoppSecret, environment: AcceptedEnvironment): Statement {
  return headerStatement(signedPlace(secret, environment.newest.facts.binding), secret.spec, true);
}

/** The statement that approves an entry. */
export function entryApproval(
  secret: ZoppSecret,
  key: string,
  entry: Entry,
  environment: AcceptedEnvironment,
): Statement {
  return entryStatement(entryPlace(secret, entry, bindingsOf(environment)), entryFacts(key, entry), true);
}

/** The bundle with an approver's signatures on its header and on entries. Throws TypeError for a key that it lacks. */
export function approveParts(
  secret: ZoppSecret,
  { header, keys }: { readonly header: boolean; readonly keys: readonly string[] },
  { environment, signingKey }: { readonly environment: AcceptedEnvironment; readonly signingKey: SigningKey },
): ZoppSecret {
  const data: Record<string, Entry> = { ...secret.spec.data };
  for (const key of keys) {
    const entry = data[key];
    if (entry === undefined) throw new TypeError(`an approval of ${key}, which the bundle lacks`);
    data[key] = approvedBy(signingKey, entry, entryApproval(secret, key, entry, environment));
  }
  const { spec } = secret;
  const signed = header ? approvedBy(signingKey, spec.header, headerApproval(secret, environment)) : spec.header;
  return { ...secret, spec: { ...spec, header: signed, ...(keys.length === 0 ? {} : { data }) } };
}

/** `to` stays an entry's last member, as git merges it best. */
function approvedBy<T extends Pick<Entry, "approvals" | "to">>(key: SigningKey, part: T, statement: Statement): T {
  const signatures = { ...part.approvals, [key.verifyKey.kid]: signStatement(key, statement) };
  const approvals = Object.fromEntries(Object.entries(signatures).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { to, ...rest } = part;
  return { ...rest, approvals, ...(to === undefined ? {} : { to }) } as T;
}
