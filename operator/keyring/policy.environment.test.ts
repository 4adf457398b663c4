// Which environments come into force in this keyring, and which do not; their workspace is accepted.
import t from "tap";
import { wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { amendEnvironment, environmentContent } from "../../crds/policy/edit.js";
import type { ZoppEnvironment, ZoppWorkspace } from "../../crds/types.gen.js";
import { acme, cluster, environmentKey, identityOf, production } from "../../hack/fixtures.js";
import { KeyringWorld, refusedOf, review } from "../../hack/keyring-world.js";

const ACME = acme();
const PRODUCTION = production();
const ALICE = { signingKeys: [identityOf("alice").signing], now: new Date("2026-11-23T11:00:00Z") };

/** The environment's key wrapped to this keyring, but for another epoch. */
const ELSEWHERE = wrapEnvironmentKey(
  identityOf("cluster eu-1").encryption.publicKey,
  { workspace: "acme", project: "shop", environment: "production", epoch: 2 },
  environmentKey.xwing.privateKey,
);

const ENVIRONMENTS: Record<
  string,
  { readonly workspace: ZoppWorkspace; readonly environment?: ZoppEnvironment; readonly code: string }
> = {
  "its rule names another cluster": {
    workspace: acme({
      clusters: [cluster("eu-1"), cluster("eu-2")],
      environments: [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-2"] }],
    }),
    environment: production({ keys: PRODUCTION.spec.keys.map((key) => ({ ...key, sealed: [] })) }),
    code: "NotServedHere",
  },
  "its workspace does not name this cluster": {
    workspace: acme({
      clusters: [cluster("eu-2")],
      environments: [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-2"] }],
    }),
    environment: production({ keys: PRODUCTION.spec.keys.map((key) => ({ ...key, sealed: [] })) }),
    code: "ClusterNotNamed",
  },
  "policy names another log for this keyring": {
    workspace: acme({ clusters: [cluster("eu-1", "log-0")] }),
    code: "LedgerLost",
  },
  "its key is wrapped to nobody": {
    workspace: ACME,
    environment: production({ keys: PRODUCTION.spec.keys.map((key) => ({ ...key, sealed: [] })) }),
    code: "ClusterNotNamed",
  },
  "its key was wrapped for another epoch": {
    workspace: ACME,
    environment: production({ keys: PRODUCTION.spec.keys.map((key) => ({ ...key, sealed: [ELSEWHERE] })) }),
    code: "CannotOpen",
  },
  "no admin signed it": { workspace: ACME, environment: production({}, ["bob"]), code: "NotAuthorised" },
  "a stranger signed it": { workspace: ACME, environment: production({}, ["mallory"]), code: "UnknownSigner" },
};

for (const [why, { workspace, environment = PRODUCTION, code }] of Object.entries(ENVIRONMENTS)) {
  t.test(`an environment is refused when ${why}`, async (t) => {
    const world = new KeyringWorld();
    const book = world.start();
    await review(book, workspace, environment);
    t.equal(refusedOf(book, "acme"), undefined);
    t.equal(refusedOf(book, "acme.shop.production"), code);
    t.throws(() => book.policyFor("acme/shop/production"), { code });
    t.same(
      world.facts.map(({ action }) => action),
      ["accept-workspace"],
    );
  });
}

t.test("an environment whose workspace is not in force waits for it", async (t) => {
  const book = new KeyringWorld().start();
  await review(book, PRODUCTION);
  t.equal(refusedOf(book, "acme.shop.production"), "NoPolicy");
  await review(book, PRODUCTION, ACME);
  t.equal(refusedOf(book, "acme.shop.production"), undefined);
});

t.test("a newer environment takes over; an older one, or a fork, does not", async (t) => {
  const book = new KeyringWorld().start();
  await review(book, ACME, PRODUCTION);
  const newer = amendEnvironment(PRODUCTION, { ...environmentContent(PRODUCTION), rollback: "allow" }, ALICE);
  await review(book, ACME, newer);
  t.equal(book.environment("acme.shop.production")?.environment.version, newer.spec.version);
  const fork = production({ rollback: "allow" });
  await review(book, ACME, { ...fork, spec: { ...fork.spec, version: newer.spec.version } });
  t.equal(refusedOf(book, "acme.shop.production"), "Forked");
  await review(book, ACME, PRODUCTION);
  t.equal(refusedOf(book, "acme.shop.production"), "PolicyRollback");
  t.equal(book.environment("acme.shop.production")?.environment.version, newer.spec.version);
});
