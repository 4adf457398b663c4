import t, { type Test } from "tap";
import { caseOf, good, LATER, ledgerOf, moved, usual, values, withEntry } from "../../hack/fixtures.bundle.js";
import {
  acme,
  acmeContent,
  bundle,
  NOW,
  production,
  withHeader,
  withTombstone,
  withValue,
  world,
  writingBy,
} from "../../hack/fixtures.js";
import type { ErrorCode } from "../errors.js";
import type { EnvironmentSpec, ZoppSecret } from "../types.gen.js";
import type { BundleCase } from "./case.js";
import { examineBundle, verifyBundle } from "./verify.js";

function refuses(t: Test, code: ErrorCode, input: BundleCase, title?: string): void {
  t.throws(() => verifyBundle(input), { code }, title ?? code);
}

t.test("versions only count up", async (t) => {
  const writing = writingBy("alice", usual.environment, LATER);
  const newer = withValue(good, "DB_PASSWORD", "hunter3", writing);
  t.ok(verifyBundle(caseOf(newer, { ledger: ledgerOf(good) })));
  refuses(t, "RollbackRefused", caseOf(good, { ledger: ledgerOf(newer) }), "an old entry put back");
  const twin = withValue(good, "DB_PASSWORD", "hunter4", writing);
  refuses(t, "RollbackRefused", caseOf(twin, { ledger: ledgerOf(newer) }), "the same version with another hash");
  const far = withValue(
    good,
    "DB_PASSWORD",
    "x",
    writingBy("alice", usual.environment, new Date(NOW.getTime() + 48 * 3600_000)),
  );
  refuses(t, "VersionTooFar", caseOf(far, { ledger: ledgerOf(good) }), "more than a day ahead");
  const header = withHeader(good, { target: { name: "api-env" } }, writing);
  refuses(t, "RollbackRefused", caseOf(good, { ledger: ledgerOf(header) }), "an old header put back");
});

t.test("rollback: allow lets entries go back, with a warning, and headers never", async (t) => {
  const lax = world(acme(), production({ rollback: "allow" }));
  const older = bundle(lax.environment, values);
  const newer = withValue(older, "DB_PASSWORD", "hunter3", writingBy("alice", lax.environment, LATER));
  const verified = verifyBundle(caseOf(older, { ...lax, ledger: ledgerOf(newer, lax) }));
  t.same(
    verified.warnings.map(({ code }) => code),
    ["RollbackRefused"],
  );
  const header = withHeader(older, { target: { name: "api-env" } }, writingBy("alice", lax.environment, LATER));
  refuses(t, "RollbackRefused", caseOf(older, { ...lax, ledger: ledgerOf(header, lax) }));
  const { DB_USER: _, ...rest } = older.spec.data ?? {};
  const vanished = { ...older, spec: { ...older.spec, data: rest } };
  t.same(
    verifyBundle(caseOf(vanished, { ...lax, ledger: ledgerOf(older, lax) })).warnings.map(({ code }) => code),
    ["EntryMissing"],
  );
});

t.test("a vanished entry without a tombstone holds back the whole bundle", async (t) => {
  const { DB_USER: _, ...rest } = good.spec.data ?? {};
  refuses(t, "EntryMissing", caseOf({ ...good, spec: { ...good.spec, data: rest } }, { ledger: ledgerOf(good) }));
  const retired = withTombstone(good, "DB_USER", writingBy("alice", usual.environment, LATER));
  t.ok(verifyBundle(caseOf(retired, { ledger: ledgerOf(good) })), "a signed tombstone is the way");
  const unsigned = withEntry(retired, "DB_USER", { signature: retired.spec.header.signature });
  refuses(t, "SignatureInvalid", caseOf(unsigned, { ledger: ledgerOf(good) }), "an unsigned one is not");
});

t.test("a place belongs to its environment for good, unless somebody who may write both moves it", async (t) => {
  const staged: Partial<EnvironmentSpec> = { environment: "staging" };
  const environments = ["production", "staging"].map((name) => ({
    name: `shop/${name}`,
    namespaces: name === "production" ? ["shop-old"] : ["shop-prod"],
    clusters: ["eu-1"],
  }));
  const two = acme({
    environments,
    grants: [...(acmeContent().grants ?? []), { subject: "carol", role: "write", scope: "shop/staging" }],
  });
  const staging = world(two, production(staged));
  const previous = world(two);
  const ledger = ledgerOf(good);
  const by = (name: string) => bundle(staging.environment, values, { by: name, now: LATER });
  t.ok(verifyBundle(caseOf(by("bob"), { ...staging, ledger, previous })), "who may write both");
  refuses(
    t,
    "EnvironmentChanged",
    caseOf(by("carol"), { ...staging, ledger, previous }),
    "who may write the new one only",
  );
  refuses(
    t,
    "EnvironmentChanged",
    caseOf(by("bob"), { ...staging, ledger }),
    "from an environment nobody serves any more",
  );
});

t.test("new content is sealed at the newest epoch", async (t) => {
  const [one] = production().spec.keys;
  const rekeyed = production({}, ["alice"], "x25519").spec.keys[0];
  if (one === undefined || rekeyed === undefined) throw new TypeError("the fixture environment has no key");
  const second = world(acme(), production({ keys: [one, { ...rekeyed, epoch: 2 }] }));
  refuses(t, "UnknownEpoch", caseOf(good, second), "an older one opens only what the ledger knows");
  t.ok(verifyBundle(caseOf(good, { ...second, ledger: ledgerOf(good) })));
  t.same(examineBundle(caseOf(good, { ...second, lenient: true })).problems, [], "a client only warns");
  const foreign = world(acme(), production({}, ["alice"], "x25519"));
  refuses(t, "UnknownEpoch", caseOf(good, foreign), "a key that the environment never had");
});

t.test(
  "approvals: persons who are approvers and not the author; while one waits, the whole bundle waits",
  async (t) => {
    const strict = world(
      acme({
        environments: [
          {
            name: "shop/production",
            namespaces: ["shop-prod"],
            clusters: ["eu-1"],
            approvals: { required: 1, approvers: ["group:sre"] },
          },
        ],
      }),
    );
    refuses(t, "PendingApproval", caseOf(good, strict));
    t.ok(verifyBundle(caseOf(good, { ...strict, ledger: ledgerOf(good) })), "what was accepted before needs none");
    const broken = withEntry(good, "DB_USER", { signature: good.spec.header.signature });
    refuses(t, "SignatureInvalid", caseOf(broken, strict), "what is invalid is said first");
  },
);

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
    refuses(t, "TargetForbidden", caseOf(bundle(usual.environment, values, { target })), title);
  }
  t.ok(
    verifyBundle(
      caseOf(bundle(usual.environment, values, { target: { type: "example.com/thing", labels: { team: "shop" } } })),
    ),
  );
});

t.test("a cluster that the environment does not name gets nothing", async (t) => {
  t.ok(verifyBundle(caseOf(good, { cluster: "eu-1" })));
  refuses(t, "ClusterNotNamed", caseOf(good, { cluster: "eu-2" }));
});

t.test("a keyring with another log, an expired policy or an outdated environment accept nothing new", async (t) => {
  const ledger = ledgerOf(good);
  refuses(t, "LedgerLost", caseOf(good, { acceptsNew: false }));
  t.ok(verifyBundle(caseOf(good, { acceptsNew: false, ledger })));
  const ended = world(acme({ expires: "2026-11-23T10:11:13Z" }));
  refuses(t, "PolicyExpired", caseOf(good, ended));
  t.ok(verifyBundle(caseOf(good, { ...ended, ledger })));
  const outdated = world(
    acme({ environments: [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"], minEpoch: 2 }] }),
  );
  refuses(t, "EnvironmentOutdated", caseOf(good, outdated));
});

t.test("binding environment lets an entry stand in any bundle of the environment", async (t) => {
  const keys = production().spec.keys.map((key) => ({ ...key, binding: "environment" as const }));
  const wide = world(
    acme({ environments: [{ name: "shop/production", namespaces: ["shop-pr-*"], clusters: ["eu-1"] }] }),
    production({ keys }),
  );
  const preview = bundle(wide.environment, values, { namespace: "shop-pr-1" });
  t.ok(verifyBundle(caseOf(preview, wide)));
  t.ok(verifyBundle(caseOf(moved(preview, "shop-pr-2", "api"), wide)));
});
