import t, { type Test } from "tap";
import { acme, acmeContent, environmentKey, identityOf, NOW, person, production } from "../../hack/fixtures.js";
import { wrapEnvironmentKey } from "../crypto/wrap.js";
import type { ErrorCode } from "../errors.js";
import type { EnvironmentSpec, ZoppEnvironment, ZoppWorkspace } from "../types.gen.js";
import { amendEnvironment, environmentContent, newEnvironment } from "./edit.js";
import { judgeEnvironment, readEnvironment } from "./environment.js";
import { readWorkspace } from "./workspace.js";

const [rule] = acmeContent().environments ?? [];
if (rule === undefined) throw new TypeError("the fixture workspace names no environment");

const withRule = (changes: Partial<typeof rule>): ZoppWorkspace => acme({ environments: [{ ...rule, ...changes }] });
const given = (candidate: ZoppEnvironment, workspace = acme(), accepted?: ZoppEnvironment) => ({
  candidate,
  workspace: readWorkspace(workspace),
  accepted: accepted === undefined ? undefined : readEnvironment(accepted),
  now: new Date(NOW.getTime() + 60_000),
});

function refuses(t: Test, code: ErrorCode, input: ReturnType<typeof given>, title?: string): void {
  t.throws(() => judgeEnvironment(input), { code }, title ?? code);
}

const first = production();
const amend = (from: ZoppEnvironment, changes: Partial<EnvironmentSpec>, signers = ["alice"]): ZoppEnvironment =>
  amendEnvironment(
    from,
    { ...environmentContent(from), ...changes },
    {
      signingKeys: signers.map((name) => identityOf(name).signing),
      now: new Date(NOW.getTime() + 30_000),
    },
  );
const [epoch] = first.spec.keys;
if (epoch === undefined) throw new TypeError("the fixture environment has no key");
const context = { workspace: "acme", project: "shop", environment: "production", epoch: 1 };
const wrapTo = (name: string) =>
  wrapEnvironmentKey(identityOf(name).encryption.publicKey, context, environmentKey.xwing.privateKey);

t.test("an environment signed by an admin, within the owners' rule, is accepted", async (t) => {
  t.equal(judgeEnvironment(given(first)).path, "acme/shop/production");
  t.ok(judgeEnvironment(given(amend(first, {}), acme(), first)), "and so is a later version");
  t.ok(judgeEnvironment(given(first, acme(), first)), "and the accepted one again");
});

t.test("who signs it decides", async (t) => {
  refuses(t, "NotAuthorised", given(production({}, ["bob"])), "a writer is no admin");
  refuses(t, "UnknownSigner", given(production({}, ["mallory"])), "a stranger");
  refuses(t, "PartlySigned", given({ ...first, spec: { ...first.spec, signatures: [] } }), "nobody");
  const other = amend(first, { rollback: "allow" });
  const swapped = { ...first, spec: { ...first.spec, signatures: other.spec.signatures } };
  refuses(t, "SignatureInvalid", given(swapped), "a signature of another version");
  refuses(t, "SignatureInvalid", given({ ...first, spec: { ...first.spec, access: "direct" } }), "an unsigned change");
});

t.test("nobody makes himself admin by the environment that he signs", async (t) => {
  const grants = [{ subject: "bob", role: "admin" as const }];
  refuses(t, "NotAuthorised", given(production({ grants }, ["bob"])), "at the first version");
  refuses(t, "NotAuthorised", given(amend(first, { grants }, ["bob"]), acme(), first), "nor later");
  const granted = amend(first, { grants });
  t.ok(judgeEnvironment(given(amend(granted, {}, ["bob"]), acme(), granted)), "but an admin can make him one before");
});

t.test("an admin grants no more than he has: audit stands apart", async (t) => {
  const grants = [{ subject: "bob", role: "audit" as const }];
  refuses(t, "NotAuthorised", given(production({ grants })));
  const auditor = acme({ grants: [...(acmeContent().grants ?? []), { subject: "alice", role: "audit", scope: "*" }] });
  t.ok(judgeEnvironment(given(production({ grants }), auditor)));
});

t.test("the owners' rule binds the environment", async (t) => {
  refuses(t, "UnknownEnvironment", given(first, acme({ environments: [] })), "unnamed");
  refuses(t, "EnvironmentOutdated", given(first, withRule({ minVersion: first.spec.version + 1 })), "below minVersion");
  refuses(t, "EnvironmentOutdated", given(first, withRule({ minEpoch: 2 })), "below minEpoch");
  refuses(t, "EnvironmentRefused", given({ ...first, metadata: { name: "acme.shop.staging" } }), "under another name");
});

t.test("versions of an environment only count up", async (t) => {
  const second = amend(first, {});
  refuses(t, "PolicyRollback", given(first, acme(), second), "an older one");
  refuses(t, "Forked", given(amend(first, { rollback: "allow" }), acme(), second), "the same version, other content");
});

t.test("approvals that the owners ask for are needed from version 1 on, from persons who are approvers", async (t) => {
  const approvals = { required: 1, approvers: ["group:sre"] };
  const demanding = withRule({ approvals });
  refuses(t, "PartlySigned", given(production({}, ["alice"]), demanding), "none");
  refuses(t, "PartlySigned", given(production({}, ["alice", "ci"]), demanding), "of somebody who is no approver");
  t.ok(judgeEnvironment(given(production({}, ["alice", "bob"]), demanding)));
  const two = withRule({ approvals: { required: 2, approvers: ["group:sre", "alice"] } });
  refuses(
    t,
    "PartlySigned",
    given(production({}, ["alice", "carol", "carol/phone"]), two),
    "two devices of one person",
  );
  refuses(t, "PartlySigned", given(production({}, ["alice", "alice", "bob"]), two), "the author's own");
  t.ok(judgeEnvironment(given(production({}, ["alice", "carol", "bob"]), two)));
  const approved = production({}, ["alice", "bob"]);
  const relabelled = [...production({}, ["alice"]).spec.signatures, ...production({}, ["bob"]).spec.signatures];
  const asAuthor = { ...approved, spec: { ...approved.spec, signatures: relabelled } };
  t.throws(() => judgeEnvironment(given(asAuthor, demanding)), "an author's signature is no approval");
});

t.test("an environment key is wrapped only to whom policy names", async (t) => {
  const sealedTo = (...names: string[]) => [{ ...epoch, sealed: names.map(wrapTo) }];
  refuses(t, "UnknownRecipient", given(production({ keys: sealedTo("mallory") })), "a stranger");
  refuses(t, "UnknownRecipient", given(production({ keys: sealedTo("cluster eu-2") })), "a cluster that is not named");
  refuses(
    t,
    "UnknownRecipient",
    given(first, withRule({ clusters: [] })),
    "a cluster of the workspace, not of the environment",
  );
  refuses(t, "UnknownRecipient", given(production({ keys: sealedTo("bob") })), "a reader, where access is brokered");
  t.ok(
    judgeEnvironment(given(production({ access: "direct", keys: sealedTo("bob") }))),
    "a reader, where access is direct",
  );
  refuses(
    t,
    "UnknownRecipient",
    given(production({ access: "direct", keys: sealedTo("carol") })),
    "a person who may not read",
  );
  const age = [{ ...epoch, sealed: [{ to: "age1pqstranger", age: "AAAA" }] }];
  refuses(
    t,
    "UnknownRecipient",
    given(production({ keys: age as EnvironmentSpec["keys"] })),
    "a recovery key nobody named",
  );
});

t.test("a read that is limited to keys cannot be enforced where access is direct", async (t) => {
  const grants = [{ subject: "bob", role: "read" as const, keys: ["DB_*"] }];
  refuses(
    t,
    "GrantNotEnforceable",
    given(production({ access: "direct", grants, keys: [{ ...epoch, sealed: [wrapTo("alice")] }] })),
  );
  t.ok(judgeEnvironment(given(production({ grants }))));
});

t.test("an epoch keeps its key and binding, and approvals exclude the wide binding", async (t) => {
  const other = [{ ...epoch, public: environmentKey.x25519.public.text }];
  refuses(t, "EnvironmentRefused", given(amend(first, { keys: other }), acme(), first), "another key");
  const wide = [{ ...epoch, binding: "environment" as const }];
  refuses(t, "EnvironmentRefused", given(amend(first, { keys: wide }), acme(), first), "another binding");
  const approvals = { required: 1, approvers: ["bob"] };
  refuses(
    t,
    "EnvironmentRefused",
    given(production({ keys: wide }, ["alice", "bob"]), withRule({ approvals })),
    "with approvals",
  );
});

t.test("a version more than a day ahead is refused", async (t) => {
  const now = new Date(NOW.getTime() + 48 * 3600_000);
  const far = newEnvironment(environmentContent(first), { signingKeys: [identityOf("alice").signing], now });
  refuses(t, "VersionTooFar", given(far));
});

t.test("an ended principal signs and receives nothing", async (t) => {
  const principals = acmeContent().principals.map((p) =>
    p.name === "alice" ? { ...person("alice"), expires: "2026-11-23T10:11:12Z" } : p,
  );
  refuses(t, "NotAuthorised", given(first, acme({ principals })));
});
