// The bundles that bundles.json is made of: good ones, what policies there are, and ways to write and to tamper.
// What is accepted and refused of them is vectors.bundles.ts' and vectors.bundles.refused.ts' business.
import { bindingsOf } from "../crds/bundle/case.js";
import { bundleDigest, bundleStatements, entryFacts, signedPlace } from "../crds/bundle/statements.js";
import type { Kem } from "../crds/crypto/keys.js";
import { readEnvironment } from "../crds/policy/environment.js";
import { entryStatement, headerStatement, signStatement } from "../crds/statement.js";
import type { Entry, SecretSpec, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../crds/types.gen.js";
import { ledgerOf as placeLedgerOf } from "./fixtures.bundle.js";
import { acmeContent, type BundleOptions, bundle, identityOf, writingBy } from "./fixtures.js";
import type { BundleGiven, LedgerGiven, ObjectVector } from "./vectors.js";
import { accepted, environment, epochOf, people, peopleWith, policyWith, sealedAt } from "./vectors.world.js";

/** When the good bundles were written, and the version of everything in them. */
const WRITTEN = new Date("2026-11-20T10:11:12Z");
export const VERSION = 20261120101112;
/** The version of the value that comes after DB_PASSWORD's first one, and when it was written. */
export const NEXT_VERSION = 20261123101200;
export const NEXT = new Date("2026-11-23T10:12:00Z");

const grants = acmeContent().grants ?? [];
const wide = { ...epochOf("x25519", 2), binding: "environment" as const };

/** The environments that bundles are judged under, by name. */
export const ENVIRONMENTS = {
  usual: environment({ keys: [epochOf("x25519", 1), epochOf("x25519", 2)] }),
  xwing: environment({ keys: [epochOf("xwing", 2)] }),
  "epoch-1": environment({ keys: [epochOf("x25519", 1)] }),
  lax: environment({ keys: [epochOf("x25519", 2)], rollback: "allow" }),
  wide: environment({ keys: [wide] }),
} as const satisfies Readonly<Record<string, ZoppEnvironment>>;

/** The name of one of them. */
export type EnvironmentName = keyof typeof ENVIRONMENTS;

const approvals = { required: 1, approvers: ["group:sre"] };
const alone = { principals: people.slice(0, 1), groups: [], grants: grants.slice(0, 1) };

/** The workspaces that bundles are judged under, by name. */
export const WORKSPACES: Readonly<Record<string, ZoppWorkspace>> = {
  usual: policyWith(),
  "bob-left": policyWith({}, alone),
  "bob-ended": policyWith({}, { principals: peopleWith("bob", { expires: "2026-11-23T10:12:12Z" }) }),
  "grant-ended": policyWith({}, { grants: grants.map((grant) => ({ ...grant, expires: "2026-11-23T10:12:12Z" })) }),
  "grant-ends": policyWith({}, { grants: grants.map((grant) => ({ ...grant, expires: "2026-11-23T10:12:13Z" })) }),
  "two-namespaces": policyWith({ namespaces: ["shop-prod", "shop-b"] }),
  "approval-of-one": policyWith({ approvals }),
  "approval-of-two": policyWith({ approvals: { required: 2, approvers: ["group:sre", "alice"] } }),
  expired: policyWith({}, { expires: "2026-11-23T10:12:12Z" }),
  "epoch-demanded": policyWith({ minEpoch: 3 }),
};

/** How the good bundles look beside their entries. */
const LOOK = {
  target: { name: "api-env", type: "Opaque", labels: { team: "shop" } },
  render: { DATABASE_URL: "postgres://[[ DB_USER | urlencode ]]@db/shop" },
  restart: "auto",
} as const;

/** A bundle of alice's (or of somebody else) without entries. */
export function empty(options: BundleOptions = {}, under: EnvironmentName = "usual"): ZoppSecret {
  return bundle(readEnvironment(ENVIRONMENTS[under]), {}, { ...LOOK, now: WRITTEN, ...options });
}

/** How one entry is written: sealed to which epoch, by whom, which version. */
export interface EntryOptions {
  readonly by?: string;
  readonly version?: number;
  readonly to?: string;
  readonly sealed?: string;
}

/** The bundle with one entry, signed; sealed bytes come from entries.json unless they are given. */
export function withSealed(
  secret: ZoppSecret,
  key: string,
  options: EntryOptions = {},
  under: EnvironmentName = "usual",
): ZoppSecret {
  const read = readEnvironment(ENVIRONMENTS[under]);
  const { key: newest, facts } = read.newest;
  const { by = "alice", version = VERSION, to = newest.kid } = options;
  const { signing } = identityOf(by);
  const place = signedPlace(secret, facts.binding);
  const sealed =
    options.sealed ?? sealedAt(newest.kem, facts.epoch, { namespace: place.namespace, name: place.name, key, version });
  const entry: Entry = { version, by: signing.verifyKey.kid, sealed, signature: "", to };
  const signature = signStatement(signing, entryStatement(place, entryFacts(key, entry)));
  return withData(secret, { ...secret.spec.data, [key]: { ...entry, signature } });
}

/** The bundle with other data, unsigned. */
export function withData(secret: ZoppSecret, data: SecretSpec["data"]): ZoppSecret {
  return { ...secret, spec: { ...secret.spec, ...(data === undefined ? {} : { data }) } };
}

const kemOf: Readonly<Partial<Record<EnvironmentName, Kem>>> = { xwing: "xwing" };

/** A good bundle: DB_PASSWORD and DB_USER of alice's (or of somebody else), at shop-prod/api. */
export function goodUnder(under: EnvironmentName, by = "alice", options: BundleOptions = {}): ZoppSecret {
  const start = empty({ by, ...options }, under);
  const kem = kemOf[under] ?? "x25519";
  const user = sealedAt(kem, 2, { namespace: "shop-prod", name: "api", key: "DB_USER", version: VERSION });
  return withSealed(withSealed(start, "DB_PASSWORD", { by }, under), "DB_USER", { by, sealed: user }, under);
}

/** The good bundle, as most vectors start from it. */
export const good: ZoppSecret = goodUnder("usual");
/** The good bundle with a later value of DB_PASSWORD. */
export const later: ZoppSecret = withSealed(good, "DB_PASSWORD", { version: NEXT_VERSION });
/** The good bundle as bob wrote it. */
export const bobs: ZoppSecret = goodUnder("usual", "bob");

/** How somebody writes after the good bundle was written. */
export const writing = (name: string, under: EnvironmentName = "usual", now = NEXT) =>
  writingBy(name, readEnvironment(ENVIRONMENTS[under]), now);

/** What a ledger remembers after everything of a bundle was accepted. */
export function ledgerOf(secret: ZoppSecret, under: EnvironmentName = "usual"): LedgerGiven {
  const { entries, ...place } = placeLedgerOf(secret, { environment: readEnvironment(ENVIRONMENTS[under]) });
  return { ...place, entries: Object.fromEntries(entries) };
}

/** The bundle with header and every entry approved by devices, as approvers or (wrongly) as authors. */
export function approvedBy(secret: ZoppSecret, devices: readonly string[], asApprover = true): ZoppSecret {
  const place = signedPlace(secret, "object");
  const sign = (make: (approval: boolean) => ReturnType<typeof headerStatement>) =>
    Object.fromEntries(
      devices.map((device) => {
        const { signing } = identityOf(device);
        return [signing.verifyKey.kid, signStatement(signing, make(asApprover))];
      }),
    );
  const data = Object.entries(secret.spec.data ?? {}).map(([key, entry]) => [
    key,
    { ...entry, approvals: sign((approval) => entryStatement(place, entryFacts(key, entry), approval)) },
  ]);
  const approvals = sign((approval) => headerStatement(place, secret.spec, approval));
  const header = { ...secret.spec.header, approvals };
  return { ...secret, spec: { ...secret.spec, header, data: Object.fromEntries(data) } };
}

/** What an accepted bundle is judged against. */
export interface Judged extends Omit<BundleGiven, "environment"> {
  readonly environment: EnvironmentName;
  readonly object: ZoppSecret;
}

/** A bundle that is accepted, with its digest. */
export function takes(name: string, why: string, given: Judged): ObjectVector<BundleGiven> {
  const bindings = bindingsOf(readEnvironment(ENVIRONMENTS[given.environment]));
  return accepted<BundleGiven>(name, why, bundleDigest(bundleStatements(given.object, bindings)), given);
}
