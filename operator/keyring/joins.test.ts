import t from "tap";
import { type LoggedRecord, scopeOf } from "../../crds/audit/records.js";
import type { WorkspaceContent } from "../../crds/policy/edit.js";
import { newJoinRequest } from "../../crds/policy/joining.js";
import { type AcceptedWorkspace, readWorkspace } from "../../crds/policy/workspace.js";
import type { JoinRequest } from "../../crds/types.gen.js";
import { acme, identityOf, NOW } from "../../hack/fixtures.js";
import type { KubeObject } from "../kube/resources.js";
import { Joins } from "./joins.js";
import type { Fact } from "./records.js";
import { failureOf } from "./server.case.js";

const KEY = identityOf("the invite");
const END = "2026-11-24T00:00:00Z";
const invited = (...names: string[]): WorkspaceContent["invites"] =>
  names.map((name) => ({ name, signingKey: keyOf(name).signing.verifyKey.text, expires: END }));
const keyOf = (invite: string) => (invite === "zoe" ? KEY : identityOf(`invite ${invite}`));

const requestOf = (who: string, invite = "zoe", key = keyOf(invite)): JoinRequest =>
  newJoinRequest("acme", { invite, device: "laptop" }, identityOf(who), key);
const callerOf = (who: string) => {
  const key = identityOf(who).signing.verifyKey;
  return { key, actor: key.kid };
};

/** Requests at a keyring with this workspace in force, and what its log says. */
function keyring(workspace: AcceptedWorkspace = readWorkspace(acme({ invites: invited("zoe") }))) {
  const world = { workspace, now: NOW, done: [] as Fact[], refused: [] as Fact[], broken: false };
  const joins = new Joins({
    workspace: (name) => (name === "acme" ? world.workspace : undefined),
    now: () => world.now,
    record: async (fact) => {
      if (world.broken) throw new TypeError("the log cannot be written");
      world.done.push(fact);
    },
    refuse: (fact) => world.refused.push(fact),
  });
  const ask = (who: string, request = requestOf(who), of = "acme") => joins.take(of, request, callerOf(who));
  return Object.assign(world, { joins, ask });
}

const statusOf = (joinRequests: readonly unknown[]) =>
  ({ ...acme(), status: { joinRequests } }) as unknown as KubeObject;

t.test("a request is recorded, and waits for an owner", async (t) => {
  const { joins, ask, done } = keyring();
  await ask("zoe");
  t.same(joins.of("acme"), [requestOf("zoe")]);
  t.match(done, [{ action: "join", decision: "done", object: "acme/zoe", kid: callerOf("zoe").key.kid }]);
  t.same(scopeOf(done[0] as unknown as LoggedRecord), { workspace: "acme" }, "for who audits that workspace");
  await ask("zoe");
  t.equal(done.length, 1, "the same once more is no other");
  await ask("mallory");
  t.equal(joins.of("acme").length, 2, "the taker of a copied code stands beside it: an owner chooses");
});

t.test("what was not recorded does not wait", async (t) => {
  const world = keyring();
  world.broken = true;
  await t.rejects(world.ask("zoe"), TypeError);
  t.same(world.joins.of("acme"), []);
});

t.test("a forged request is refused and recorded", async (t) => {
  const world = keyring();
  const cases: readonly [string, Promise<unknown>, string, string | undefined][] = [
    ["another key than the invite's", world.ask("zoe", requestOf("zoe", "zoe", keyOf("x"))), "JoinRefused", "acme/zoe"],
    ["an invite that nobody made", world.ask("zoe", requestOf("zoe", "eve")), "JoinRefused", "acme"],
    ["somebody else's request, replayed", world.ask("mallory", requestOf("zoe")), "JoinRefused", "acme/zoe"],
    ["a workspace that is not served", world.ask("zoe", requestOf("zoe"), "other"), "NotPinned", undefined],
  ];
  for (const [title, call, code, object] of cases) {
    const error = await failureOf(call);
    t.equal(error.code, code, title);
    t.match(world.refused.shift(), { action: "join", decision: "refused", reason: code, object }, title);
  }
  const { code } = await failureOf(world.joins.take("acme", { ...requestOf("zoe"), invite: "../x" }, callerOf("zoe")));
  t.equal(code, "Malformed", "of another form");
  t.same(world.joins.of("acme"), []);
  t.same(world.done, []);
});

t.test("a request goes when its invite ends, is revoked, or was used", async (t) => {
  const ended = keyring();
  await ended.ask("zoe");
  ended.now = new Date(END);
  t.same(ended.joins.of("acme"), [], "ended");
  t.equal((await failureOf(ended.ask("mallory"))).code, "JoinRefused");
  const revoked = keyring();
  await revoked.ask("zoe");
  revoked.workspace = readWorkspace(acme({ invites: [] }));
  t.same(revoked.joins.of("acme"), [], "revoked or used");
  revoked.workspace = readWorkspace(acme({ invites: invited("zoe", "yan") }));
  t.same(revoked.joins.of("acme"), [], "and does not come back by itself");
});

t.test("so many of one invite, and no more: others keep their places", async (t) => {
  const { joins, ask } = keyring(readWorkspace(acme({ invites: invited("zoe", "yan") })));
  for (const who of ["m1", "m2", "m3", "m4"]) await ask(who);
  t.equal((await failureOf(ask("m5"))).code, "InviteContested");
  await ask("yan", requestOf("yan", "yan"));
  t.equal(joins.of("acme").length, 5);
});

t.test("many at once get no more places than one by one, and what is not recorded gives its up", async (t) => {
  const world = keyring();
  const asked = await Promise.allSettled(Array.from({ length: 10 }, (_, at) => world.ask(`m${at}`)));
  t.equal(asked.filter(({ status }) => status === "fulfilled").length, 4);
  t.equal(world.done.length, 4);
  t.equal(world.joins.of("acme").length, 4);
  const broken = keyring();
  broken.broken = true;
  await Promise.allSettled(["m1", "m2", "m3", "m4"].map((who) => broken.ask(who)));
  broken.broken = false;
  await broken.ask("zoe");
  t.same(broken.joins.of("acme"), [requestOf("zoe")]);
});

t.test("after a restart the workspace's status says who waited, as far as it proves itself", async (t) => {
  const { joins, ask, done } = keyring();
  const forged = { ...requestOf("mallory"), device: "other" };
  joins.adopt(statusOf([requestOf("zoe"), forged, requestOf("x", "zoe", keyOf("x")), null, "text", { invite: "zoe" }]));
  t.same(joins.of("acme"), [requestOf("zoe")]);
  await ask("zoe");
  t.same(done, [], "it is the one that was recorded");
});
