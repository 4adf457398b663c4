// To whom a keyring wraps an environment's key, at whose request: every other is refused, and both are on record.
import t from "tap";
import { type LoggedRecord, scopeOf } from "../../crds/audit/records.js";
import { newEnvironmentKey } from "../../crds/crypto/identity.js";
import { unwrapPrivateKey, wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import type { WorkspaceContent } from "../../crds/policy/edit.js";
import type { ZoppEnvironment } from "../../crds/types.gen.js";
import { acme, acmeContent, cluster, environmentKey, identityOf, person, production } from "../../hack/fixtures.js";
import { KeyringWorld, LATER, review } from "../../hack/keyring-world.js";
import type { Fact } from "./records.js";
import { failureOf } from "./server.case.js";
import { wrapKeys } from "./wrap.js";

const PATH = "acme/shop/production";
const kidOf = (name: string) => identityOf(name).encryption.publicKey.kid;

/** A policy with a second cluster for production, a third one that is not, and an admin of another project. */
function content(changes: Partial<WorkspaceContent> = {}): Partial<WorkspaceContent> {
  const { principals, grants = [] } = acmeContent();
  return {
    principals: [...principals, person("dora"), { ...person("erin"), expires: "2026-11-23T11:00:00Z" }],
    grants: [
      ...grants,
      { subject: "carol", role: "read", scope: "shop" },
      { subject: "dora", role: "admin", scope: "web" },
      { subject: "erin", role: "admin", scope: "shop" },
    ],
    clusters: [cluster("eu-1"), cluster("eu-2"), cluster("us-1")],
    environments: [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1", "eu-2"] }],
    recovery: [{ name: "safe", recipient: "age1pq1safe" }],
    ...changes,
  };
}

interface Given {
  readonly by?: string;
  /** How the keyring calls the caller's key elsewhere. */
  readonly actor?: string;
  readonly path?: string;
  readonly to?: string;
  readonly workspace?: Partial<WorkspaceContent>;
  readonly environment?: ZoppEnvironment;
  readonly log?: string;
  readonly brokenLog?: boolean;
}

async function ask({
  by = "alice",
  actor = `${by}/laptop`,
  path = PATH,
  to = kidOf("cluster eu-2"),
  workspace,
  environment,
  log,
  brokenLog,
}: Given = {}) {
  const world = new KeyringWorld();
  const policy = acme(content(workspace));
  await review(world.start(), policy, environment ?? production());
  if (log !== undefined) world.log = log;
  const released: Fact[] = [];
  const refused: Fact[] = [];
  const append = async (facts: readonly Fact[]) => {
    if (brokenLog) throw new Error("the log cannot be written");
    released.push(...facts);
  };
  const options = {
    book: world.start(),
    log: { append },
    own: identityOf("cluster eu-1").encryption,
    now: () => LATER,
    refuse: (fact: Fact) => refused.push(fact),
  };
  const call = wrapKeys({ environment: path, to }, { key: identityOf(by).signing.verifyKey, actor }, options);
  return { call, released, refused };
}

t.test("an admin has all epochs wrapped to a cluster that the owners allow, once that is on record", async (t) => {
  const { privateKey, public: made } = newEnvironmentKey("xwing");
  const scope = { workspace: "acme", project: "shop", environment: "production" };
  const own = identityOf("cluster eu-1").encryption.publicKey;
  const sealed = [wrapEnvironmentKey(own, { ...scope, epoch: 2 }, privateKey)];
  const [first] = production().spec.keys;
  if (first === undefined) throw new Error("no epoch");
  const environment = production({ keys: [first, { epoch: 2, binding: "object", public: made.text, sealed }] });
  const { call, released, refused } = await ask({ environment });
  const { keys } = await call;
  t.same(
    keys.map(({ epoch }) => epoch),
    [1n, 2n],
  );
  const eu2 = identityOf("cluster eu-2").encryption;
  const raw = [environmentKey.xwing, { privateKey, public: made }];
  for (const [at, { epoch, enc, wrapped }] of keys.entries()) {
    const key = raw[at];
    if (key === undefined) throw new Error("an epoch too many");
    const context = { ...scope, epoch: Number(epoch) };
    t.same(unwrapPrivateKey(eu2, context, { to: eu2.publicKey.kid, enc, wrapped }, key.public), key.privateKey);
  }
  t.match(released, [
    {
      action: "wrap",
      decision: "released",
      actor: "alice/laptop",
      evidence: "proved",
      object: PATH,
      to: eu2.publicKey.kid,
      recipient: "eu-2",
      epochs: [1, 2],
    },
  ]);
  t.equal(released[0]?.policy?.length, 2);
  t.equal(refused.length, 0);
});

t.test(
  "the record names who asked as the environment's own policy does, for those who audit that environment",
  async (t) => {
    const { call, released } = await ask({ actor: "mallory/as another workspace calls this key" });
    await call;
    t.equal(released[0]?.actor, "alice/laptop");
    t.equal(scopeOf(released[0] as unknown as LoggedRecord).path, PATH);
    const dotted = await ask({ path: "acme.shop/production" });
    await dotted.call;
    t.equal(scopeOf(dotted.released[0] as unknown as LoggedRecord).path, PATH, "however it is written by who asks");
    const { call: next, refused } = await ask({ actor: "mallory/laptop", by: "bob" });
    await t.rejects(next);
    t.equal(refused[0]?.actor, "bob/laptop");
    t.equal(scopeOf(refused[0] as unknown as LoggedRecord).path, PATH);
  },
);

t.test("where access is direct, a reader's device is a recipient too", async (t) => {
  const environment = production({ access: "direct" });
  const { call, released } = await ask({ environment, to: kidOf("carol") });
  t.equal((await call).keys.length, 1);
  t.match(released, [{ recipient: "carol" }]);
});

const REFUSED: Record<string, Given & { readonly code: string }> = {
  "a writer": { by: "bob", code: "NotAuthorised" },
  "a reader": { by: "carol", code: "NotAuthorised" },
  "a submitter": { by: "ci", code: "NotAuthorised" },
  "an admin of another project": { by: "dora", code: "NotAuthorised" },
  "an admin whose membership has ended": { by: "erin", code: "NotAuthorised" },
  "somebody who left": { by: "mallory", code: "NotAuthorised" },
  "an owner who is no admin": {
    workspace: { grants: [{ subject: "bob", role: "admin", scope: "shop" }] },
    environment: production({}, ["bob"]),
    code: "NotAuthorised",
  },
  "an admin, to a cluster that policy does not name": { to: kidOf("cluster ap-1"), code: "UnknownRecipient" },
  "an admin, to a cluster of other environments": { to: kidOf("cluster us-1"), code: "UnknownRecipient" },
  "an admin, to himself where access is brokered": { to: kidOf("alice"), code: "UnknownRecipient" },
  "an admin, to a reader where access is brokered": { to: kidOf("carol"), code: "UnknownRecipient" },
  "an admin, to somebody who may not read": {
    environment: production({ access: "direct" }),
    to: kidOf("ci"),
    code: "UnknownRecipient",
  },
  "an admin, to a reader whose membership has ended": {
    environment: production({ access: "direct" }),
    to: kidOf("erin"),
    code: "UnknownRecipient",
  },
  "an admin, to a recovery key": { to: "age1pq1safe", code: "UnknownRecipient" },
  "an admin, of a keyring that lost its log": { log: "log-2", code: "LedgerLost" },
  "an admin, under a policy that has expired": {
    workspace: { expires: "2026-11-23T11:00:00Z" },
    code: "PolicyExpired",
  },
};
for (const [who, { code, ...given }] of Object.entries(REFUSED)) {
  t.test(`no key is wrapped for ${who}`, async (t) => {
    const { call, released, refused } = await ask(given);
    t.equal((await failureOf(call)).code, code);
    t.equal(released.length, 0);
    t.match(refused, [{ action: "wrap", decision: "refused", reason: code, object: PATH, to: given.to ?? /^zk1/ }]);
  });
}

t.test("nothing leaves while the log cannot be written", async (t) => {
  const { call } = await ask({ brokenLog: true });
  await t.rejects(call);
});
