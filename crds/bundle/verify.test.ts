import t, { type Test } from "tap";
import { acme, acmeContent, bundle, NOW, person, production, withHeader, withTombstone, withValue, world, writingBy } from "../../hack/fixtures.js";
import type { ErrorCode } from "../errors.js";
import type { EnvironmentSpec, ZoppSecret } from "../types.gen.js";
import type { BundleCase, PlaceLedger } from "./case.js";
import { bindingsOf } from "./case.js";
import { bundleStatements } from "./statements.js";
import { examineBundle, verifyBundle } from "./verify.js";

const LATER = new Date(NOW.getTime() + 60_000);
const usual = world();
const values = { DB_PASSWORD: "hunter2", DB_USER: "shop" };
const good = bundle(usual.environment, values);

const given = (secret: ZoppSecret, changes: Partial<BundleCase> = {}): BundleCase => ({ secret, ...usual, now: LATER, ...changes });

/** The ledger after everything of a bundle was accepted. */
function ledgerOf(secret: ZoppSecret, policy = usual): PlaceLedger {
  const { header, entries } = bundleStatements(secret, bindingsOf(policy.environment));
  return {
    environment: secret.spec.environment,
    header: { version: secret.spec.header.version, hash: header.hash },
    entries: new Map([...entries].map(([key, { hash }]) => [key, { version: secret.spec.data?.[key]?.version ?? 0, hash }])),
  };
}

function refuses(t: Test, code: ErrorCode, input: BundleCase, title?: string): void {
  t.throws(() => verifyBundle(input), { code }, title ?? code);
}

function withEntry(secret: ZoppSecret, key: string, changes: object): ZoppSecret {
  const entry = { ...secret.spec.data?.[key], ...changes } as NonNullable<ZoppSecret["spec"]["data"]>[string];
  return { ...secret, spec: { ...secret.spec, data: { ...secret.spec.data, [key]: entry } } };
}

function flip(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes.toString("base64");
}

const moved = (secret: ZoppSecret, namespace: string, name: string): ZoppSecret => ({
  ...secret,
  metadata: { ...secret.metadata, namespace, name },
});

t.test("a signed bundle is accepted, and all of it is news to an empty ledger", async (t) => {
  const verified = verifyBundle(given(good));
  t.same([...verified.acceptedEntries.keys()], ["DB_PASSWORD", "DB_USER"]);
  t.equal(verified.acceptedHeader?.version, good.spec.header.version);
  t.same(verified.warnings, []);
});

t.test("what the ledger holds is no news", async (t) => {
  const verified = verifyBundle(given(good, { ledger: ledgerOf(good) }));
  t.equal(verified.acceptedEntries.size, 0);
  t.equal(verified.acceptedHeader, undefined);
  t.equal(verified.digest, verifyBundle(given(good)).digest, "the digest does not depend on the ledger");
});

t.test("a changed byte is refused", async (t) => {
  const entry = good.spec.data?.DB_PASSWORD;
  if (entry?.sealed === undefined) throw new TypeError("the fixture has no sealed entry");
  refuses(t, "SignatureInvalid", given(withEntry(good, "DB_PASSWORD", { sealed: flip(entry.sealed) })), "in the sealed value");
  refuses(t, "SignatureInvalid", given(withEntry(good, "DB_PASSWORD", { signature: flip(entry.signature) })), "in the signature");
  refuses(t, "SignatureInvalid", given(withEntry(good, "DB_PASSWORD", { version: entry.version + 1 })), "in the version");
  refuses(t, "SignatureInvalid", given(withEntry(good, "DB_PASSWORD", { expires: "2030-01-01T00:00:00Z" })), "an added end");
  const header = { ...good.spec.header, signature: flip(good.spec.header.signature) };
  refuses(t, "SignatureInvalid", given({ ...good, spec: { ...good.spec, header } }), "in the header's signature");
  refuses(t, "SignatureInvalid", given({ ...good, spec: { ...good.spec, target: { name: "other" } } }), "in the header's fields");
});

t.test("an entry moved anywhere is refused, and the message says where it belongs", async (t) => {
  const data = { ...good.spec.data, DB_USER: good.spec.data?.DB_PASSWORD } as NonNullable<ZoppSecret["spec"]["data"]>;
  const swapped = { ...good, spec: { ...good.spec, data } };
  t.throws(() => verifyBundle(given(swapped)), { code: "PlaceMismatch", message: /DB_USER was signed for key DB_PASSWORD/ });
  const twoNamespaces = world(acme({ environments: [{ name: "shop/production", namespaces: ["shop-prod", "shop-b"], clusters: ["eu-1"] }] }));
  t.throws(() => verifyBundle(given(moved(good, "shop-b", "api"), twoNamespaces)), { code: "PlaceMismatch", message: /shop-prod\/api/ });
  const otherPlaces = [{ namespace: "shop-prod", name: "api" }];
  t.throws(() => verifyBundle(given(moved(good, "shop-prod", "x-api"), { otherPlaces })), { code: "PlaceMismatch", message: /shop-prod\/api/ });
  refuses(t, "SignatureInvalid", given(moved(good, "shop-prod", "x-api")), "an unknown origin is plainly invalid");
});

t.test("a namespace that the policy does not name for the environment is refused", async (t) => {
  refuses(t, "NamespaceNotAllowed", given(moved(good, "other", "api")));
  refuses(t, "NamespaceNotAllowed", given(bundle(usual.environment, values, { namespace: "other" })), "even if signed for it");
});

t.test("who signs an entry must be known and may write that key, now", async (t) => {
  const by = (name: string, key = "IMAGE_TAG") => withValue(good, key, "v", writingBy(name, usual.environment, LATER));
  const ledger = ledgerOf(good);
  t.ok(verifyBundle(given(by("bob"), { ledger })), "a writer");
  t.ok(verifyBundle(given(by("ci"), { ledger })), "a submitter, for a key of its pattern");
  refuses(t, "NotAuthorised", given(by("ci", "DB_PASSWORD"), { ledger }), "but for no other");
  refuses(t, "NotAuthorised", given(by("carol"), { ledger }), "somebody without a grant");
  refuses(t, "UnknownSigner", given(by("mallory"), { ledger }), "a stranger");
  const without = world(acme({ grants: [{ subject: "alice", role: "admin", scope: "*" }] }));
  refuses(t, "NotAuthorised", given(by("bob"), { ledger, ...without }), "somebody whose grant was taken away");
});

t.test("removing a person turns nothing red that was accepted", async (t) => {
  const bobs = bundle(usual.environment, values, { by: "bob" });
  const without = world(acme({ principals: [person("alice")], groups: [], grants: [{ subject: "alice", role: "admin", scope: "*" }] }));
  t.ok(verifyBundle(given(bobs, { ...without, ledger: ledgerOf(bobs) })));
  refuses(t, "UnknownSigner", given(bobs, without), "a new keyring refuses it");
  const lenient = examineBundle(given(bobs, { ...without, lenient: true }));
  t.same(lenient.problems, []);
  t.same([...new Set(lenient.warnings.map(({ code }) => code))], ["AuthorLeft"], "a client warns");
});

t.test("creating a bundle and signing a header take write without key patterns", async (t) => {
  refuses(t, "NotAuthorised", given(bundle(usual.environment, {}, { by: "ci" })), "a submitter");
  t.ok(verifyBundle(given(bundle(usual.environment, {}, { by: "bob" }))));
});

t.test("versions only count up", async (t) => {
  const writing = writingBy("alice", usual.environment, LATER);
  const newer = withValue(good, "DB_PASSWORD", "hunter3", writing);
  t.ok(verifyBundle(given(newer, { ledger: ledgerOf(good) })));
  refuses(t, "RollbackRefused", given(good, { ledger: ledgerOf(newer) }), "an old entry put back");
  const twin = withValue(good, "DB_PASSWORD", "hunter4", writing);
  refuses(t, "RollbackRefused", given(twin, { ledger: ledgerOf(newer) }), "the same version with another hash");
  const far = withValue(good, "DB_PASSWORD", "x", writingBy("alice", usual.environment, new Date(NOW.getTime() + 48 * 3600_000)));
  refuses(t, "VersionTooFar", given(far, { ledger: ledgerOf(good) }), "more than a day ahead");
  const header = withHeader(good, { target: { name: "api-env" } }, writing);
  refuses(t, "RollbackRefused", given(good, { ledger: ledgerOf(header) }), "an old header put back");
});

t.test("rollback: allow lets entries go back, with a warning, and headers never", async (t) => {
  const lax = world(acme(), production({ rollback: "allow" }));
  const older = bundle(lax.environment, values);
  const newer = withValue(older, "DB_PASSWORD", "hunter3", writingBy("alice", lax.environment, LATER));
  const verified = verifyBundle(given(older, { ...lax, ledger: ledgerOf(newer, lax) }));
  t.same(verified.warnings.map(({ code }) => code), ["RollbackRefused"]);
  const header = withHeader(older, { target: { name: "api-env" } }, writingBy("alice", lax.environment, LATER));
  refuses(t, "RollbackRefused", given(older, { ...lax, ledger: ledgerOf(header, lax) }));
  const { DB_USER: _, ...rest } = older.spec.data ?? {};
  const vanished = { ...older, spec: { ...older.spec, data: rest } };
  t.same(verifyBundle(given(vanished, { ...lax, ledger: ledgerOf(older, lax) })).warnings.map(({ code }) => code), ["EntryMissing"]);
});

t.test("a vanished entry without a tombstone holds back the whole bundle", async (t) => {
  const { DB_USER: _, ...rest } = good.spec.data ?? {};
  refuses(t, "EntryMissing", given({ ...good, spec: { ...good.spec, data: rest } }, { ledger: ledgerOf(good) }));
  const retired = withTombstone(good, "DB_USER", writingBy("alice", usual.environment, LATER));
  t.ok(verifyBundle(given(retired, { ledger: ledgerOf(good) })), "a signed tombstone is the way");
  const unsigned = withEntry(retired, "DB_USER", { signature: retired.spec.header.signature });
  refuses(t, "SignatureInvalid", given(unsigned, { ledger: ledgerOf(good) }), "an unsigned one is not");
});

t.test("a place belongs to its environment for good, unless somebody who may write both moves it", async (t) => {
  const staged: Partial<EnvironmentSpec> = { environment: "staging" };
  const environments = ["production", "staging"].map((name) => ({ name: `shop/${name}`, namespaces: name === "production" ? ["shop-old"] : ["shop-prod"], clusters: ["eu-1"] }));
  const two = acme({ environments, grants: [...(acmeContent().grants ?? []), { subject: "carol", role: "write", scope: "shop/staging" }] });
  const staging = world(two, production(staged));
  const previous = world(two);
  const ledger = ledgerOf(good);
  const by = (name: string) => bundle(staging.environment, values, { by: name, now: LATER });
  t.ok(verifyBundle(given(by("bob"), { ...staging, ledger, previous })), "who may write both");
  refuses(t, "EnvironmentChanged", given(by("carol"), { ...staging, ledger, previous }), "who may write the new one only");
  refuses(t, "EnvironmentChanged", given(by("bob"), { ...staging, ledger }), "from an environment nobody serves any more");
});

t.test("new content is sealed at the newest epoch", async (t) => {
  const [one] = production().spec.keys;
  const rekeyed = production({}, ["alice"], "x25519").spec.keys[0];
  if (one === undefined || rekeyed === undefined) throw new TypeError("the fixture environment has no key");
  const second = world(acme(), production({ keys: [one, { ...rekeyed, epoch: 2 }] }));
  refuses(t, "UnknownEpoch", given(good, second), "an older one opens only what the ledger knows");
  t.ok(verifyBundle(given(good, { ...second, ledger: ledgerOf(good) })));
  t.same(examineBundle(given(good, { ...second, lenient: true })).problems, [], "a client only warns");
  const foreign = world(acme(), production({}, ["alice"], "x25519"));
  refuses(t, "UnknownEpoch", given(good, foreign), "a key that the environment never had");
});

t.test("approvals: persons who are approvers and not the author; while one waits, the whole bundle waits", async (t) => {
  const strict = world(acme({ environments: [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"], approvals: { required: 1, approvers: ["group:sre"] } }] }));
  refuses(t, "PendingApproval", given(good, strict));
  t.ok(verifyBundle(given(good, { ...strict, ledger: ledgerOf(good) })), "what was accepted before needs none");
  const broken = withEntry(good, "DB_USER", { signature: good.spec.header.signature });
  refuses(t, "SignatureInvalid", given(broken, strict), "what is invalid is said first");
});

t.test("targets that could make another controller act are refused", async (t) => {
  const table: [string, ZoppSecret["spec"]["target"]][] = [
    ["a service account token", { type: "kubernetes.io/service-account-token" }],
    ["a bootstrap token", { type: "bootstrap.kubernetes.io/token" }],
    ["a helm release", { type: "helm.sh/release.v1" }],
    ["a type without a domain", { type: "opaque" }],
    ["an annotation of kubernetes.io", { annotations: { "kubernetes.io/service-account.name": "x" } }],
    ["an annotation of a subdomain", { annotations: { "meta.helm.sh/release-name": "x" } }],
    ["a label of k8s.io", { labels: { "app.k8s.io/name": "x" } }],
  ];
  for (const [title, target] of table) {
    refuses(t, "TargetForbidden", given(bundle(usual.environment, values, { target })), title);
  }
  t.ok(verifyBundle(given(bundle(usual.environment, values, { target: { type: "example.com/thing", labels: { team: "shop" } } }))));
});

t.test("a cluster that the environment does not name gets nothing", async (t) => {
  t.ok(verifyBundle(given(good, { cluster: "eu-1" })));
  refuses(t, "ClusterNotNamed", given(good, { cluster: "eu-2" }));
});

t.test("a keyring with another log, an expired policy or an outdated environment accept nothing new", async (t) => {
  const ledger = ledgerOf(good);
  refuses(t, "LedgerLost", given(good, { acceptsNew: false }));
  t.ok(verifyBundle(given(good, { acceptsNew: false, ledger })));
  const ended = world(acme({ expires: "2026-11-23T10:11:13Z" }));
  refuses(t, "PolicyExpired", given(good, ended));
  t.ok(verifyBundle(given(good, { ...ended, ledger })));
  const outdated = world(acme({ environments: [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"], minEpoch: 2 }] }));
  refuses(t, "EnvironmentOutdated", given(good, outdated));
});

t.test("binding environment lets an entry stand in any bundle of the environment", async (t) => {
  const keys = production().spec.keys.map((key) => ({ ...key, binding: "environment" as const }));
  const wide = world(acme({ environments: [{ name: "shop/production", namespaces: ["shop-pr-*"], clusters: ["eu-1"] }] }), production({ keys }));
  const preview = bundle(wide.environment, values, { namespace: "shop-pr-1" });
  t.ok(verifyBundle(given(preview, wide)));
  t.ok(verifyBundle(given(moved(preview, "shop-pr-2", "api"), wide)));
});
