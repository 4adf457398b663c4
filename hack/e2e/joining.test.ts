// People join and owners become several while a real keyring and operator run; whoever forges, copies or replays gets nothing.
import t from "tap";
import { Workbench } from "../../cli/run.case.js";
import { identityFromSeed } from "../../crds/crypto/identity.js";
import { formatToken } from "../../crds/crypto/token.js";
import { amendWorkspace, workspaceContent } from "../../crds/policy/edit.js";
import { parseInvite } from "../../crds/policy/invite.js";
import { newJoinRequest } from "../../crds/policy/joining.js";
import type { JoinRequest, ZoppWorkspace } from "../../crds/types.gen.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { failureOf } from "../../operator/keyring/server.case.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { silentLog } from "../../operator/kube/observe.js";
import { ZOPP_WORKSPACES } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { digestOfOwners, identityOf, seedOf } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { workspaceInForce } from "../testbed.look.js";

const bed = await startTestbed();
t.teardown(() => bed.stop());

const bench = new Workbench(t);
const cluster = ["--workspace", "acme", "--store", "cluster", "--kubeconfig", bed.controlPlane.kubeconfig];

/** A command of somebody of the fixtures, on the cluster. */
function by(person: string, words: readonly string[], stdin = "") {
  const env = { ZOPP_TOKEN: formatToken(seedOf(person), digestOfOwners(bed.workspace)) };
  return bench.run([...words, ...cluster], { env, stdin });
}

async function must(person: string, words: readonly string[], stdin = ""): Promise<string> {
  const ran = await by(person, words, stdin);
  if (ran.code !== 0) throw new Error(`${words.join(" ")}: ${ran.err}`);
  return ran.out;
}

const stored = () => bed.client.get<ZoppWorkspace>(ZOPP_WORKSPACES, { name: "acme" });

/** Waits until these devices, and no others, wait to be admitted. */
function waiting(...devices: string[]): Promise<readonly JoinRequest[]> {
  return eventually(
    async () => {
      const found = (await stored()).status?.joinRequests ?? [];
      if (found.map(({ device }) => device).join() === devices.join()) return found;
      throw new Error(`waiting: ${found.map(({ device }) => device).join()}`);
    },
    { timeoutMs: 60_000 },
  );
}

/** `zopp join` by somebody new; gives the fingerprint that it showed. */
async function joins(person: string, code: string): Promise<string> {
  const words = ["join", "--code-file", "-", "--device", person, "--keyring", `127.0.0.1:${bed.ports.keyring}`];
  const { out } = await bench.must([...words, ...cluster, "-o", "json"], { as: person, stdin: code });
  return (JSON.parse(out) as { fingerprint: string }).fingerprint;
}

/** Asks the keyring to let a key join, as whoever has no name there. */
async function asks(person: string, request: JoinRequest) {
  const { signing } = identityOf(person);
  const keyring = connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: signing,
    log: silentLog,
  });
  return failureOf(keyring.join("acme", request)).finally(() => keyring.close());
}

/** Waits until the keyring's log says this of joining. */
function recorded(...words: string[]): Promise<unknown> {
  return eventually(() =>
    bed.keyring.lines.some((line) => line.includes('"action":"join"') && words.every((word) => line.includes(word))),
  );
}

t.test("an owner invites, a person joins through the keyring, the owner admits, and the person writes", async (t) => {
  await bed.applyBundle(bed.seal({ A: "alice's" }));
  await bed.settled("Synced");
  const code = await must("alice", ["invite", "create", "zoe", "--role", "write", "--scope", "shop"]);
  await workspaceInForce(bed);
  const fingerprint = await joins("zoe", code);
  await recorded('"decision":"done"', '"object":"acme/zoe"');
  const [request] = await waiting("zoe");
  t.equal(request?.invite, "zoe");
  t.match(await must("alice", ["invite", "list"]), fingerprint);
  t.match(await bench.run(["set", "api", "B", ...cluster], { as: "zoe", stdin: "z" }), {
    code: 3,
    err: "UnknownSigner",
  });

  const { spec } = await stored();
  await must("alice", ["principal", "approve", "zoe", "--fingerprint", fingerprint]);
  await workspaceInForce(bed);
  t.equal((await stored()).spec.ancestors?.length, (spec.ancestors?.length ?? 0) + 1, "by one new version");
  await waiting();
  await bench.must(["set", "api", "B", ...cluster], { as: "zoe", stdin: "zoe's" });
  await bed.settled("Synced");
  t.same((await bed.secret()).data, { A: "alice's", B: "zoe's" });

  const again = await asks(
    "zoe again",
    newJoinRequest(
      "acme",
      { invite: "zoe", device: "two" },
      identityOf("zoe again"),
      identityFromSeed(parseInvite(code).seed),
    ),
  );
  t.equal(again.code, "JoinRefused", "the invite is used up");
});

t.test("what is forged, sent by another or revoked is refused and recorded", async (t) => {
  const code = await must("alice", ["invite", "create", "yan"]);
  await workspaceInForce(bed);
  const asked = { invite: "yan", device: "x" };
  const invite = identityFromSeed(parseInvite(code).seed);
  const yan = newJoinRequest("acme", asked, identityOf("yan"), invite);
  const forged = newJoinRequest("acme", asked, identityOf("mallory"), identityOf("another invite"));
  t.equal((await asks("mallory", forged)).code, "JoinRefused");
  await recorded('"decision":"refused"', '"reason":"JoinRefused"', '"object":"acme/yan"');
  t.equal((await asks("mallory", yan)).code, "JoinRefused", "another's request");
  for (const who of ["m1", "m2", "m3"])
    t.equal(
      (await asks(who, newJoinRequest("acme", asked, identityOf(who), identityOf("another invite")))).code,
      "JoinRefused",
    );
  t.equal((await asks("mallory", { ...yan, invite: "nobody" })).code, "JoinRefused");
  await recorded('"decision":"refused"', '"object":"acme"');
  const refusals = bed.keyring.lines.filter(
    (line) => line.includes('"object":"acme/yan"') && line.includes("JoinRefused"),
  );
  const hours = new Set(refusals.map((line) => /"time":"(\d{4}-\d\d-\d\dT\d\d)/.exec(line)?.[1]));
  t.equal(refusals.length, hours.size, "once an hour, whatever keys strangers take: they cannot fill the log");
  const large = await asks("mallory", { ...yan, device: "x".repeat(5_000) });
  t.equal(large.code, "Overloaded", "a stranger's message is at most 4 KiB");
  await must("alice", ["invite", "revoke", "yan"]);
  await workspaceInForce(bed);
  t.equal((await asks("yan", yan)).code, "JoinRefused");
  t.same((await stored()).status?.joinRequests, undefined);
});

t.test("two takers of one code wait side by side, also after the keyring was away", async (t) => {
  const code = await must("alice", ["invite", "create", "bea"]);
  await workspaceInForce(bed);
  const fingerprint = await joins("bea", code);
  await joins("eve", code);
  await waiting("bea", "eve");
  await bed.keyring.stop();
  await bed.startKeyring();
  await bed.applyBundle(bed.seal({ C: "c" }, { name: "after" }));
  await bed.settled("Synced", "after", "shop-prod", 60_000);
  await waiting("bea", "eve");
  const blocked = await by("alice", ["principal", "approve", "bea", "--yes"]);
  t.match(blocked, { code: 7, err: "InviteContested" });
  await must("alice", ["principal", "approve", "bea", "--fingerprint", fingerprint]);
  await workspaceInForce(bed);
  await waiting();
  const { principals } = (await stored()).spec;
  t.same(
    principals.at(-1)?.devices?.map(({ name }) => name),
    ["bea"],
  );
});

t.test(
  "several owners: a proposal changes nothing in the cluster until the last one whom it lacks has signed",
  async (t) => {
    await must("alice", ["policy", "owners", "alice", "carol", "--threshold", "2"]);
    const { spec: alone } = await stored();
    t.same(alone.owners, { threshold: 1, principals: ["alice"] });
    await must("carol", ["policy", "sign", "--yes"]);
    await workspaceInForce(bed);
    const { spec: before } = await stored();
    await must("alice", ["grant", "bea", "write", "--scope", "*"]);
    await bed.applyBundle(bed.seal({ A: "goes on" }, { name: "meanwhile" }));
    await bed.settled("Synced", "meanwhile");
    const proposed = await stored();
    t.same(proposed.spec, before);
    t.match(readyOf(proposed.status), { status: "True" });
    t.match(await by("alice", ["policy", "sign", "--yes"]), { code: 7, err: "alice has signed" });
    await must("carol", ["policy", "sign", "--yes"]);
    await workspaceInForce(bed);
  },
);

t.test("a policy that one of two owners applies alone is not in force, and the accepted one stays", async (t) => {
  const { spec } = await stored();
  const good = { ...bed.workspace, spec };
  const content = { ...workspaceContent(good), grants: [] };
  const alone = amendWorkspace(good, content, { signingKeys: [identityOf("alice").signing], now: new Date() });
  await bed.apply(ZOPP_WORKSPACES, alone);
  const refused = await eventually(async () => {
    const found = await stored();
    return readyOf(found.status)?.reason === "PartlySigned" ? found : undefined;
  });
  t.equal(refused.status?.accepted?.version, spec.version);
  await bed.apply(ZOPP_WORKSPACES, good);
  await eventually(async () => readyOf((await stored()).status)?.status === "True");
});

t.test("a keyring that was away for several versions and changes of owners catches up", async (t) => {
  await bed.keyring.stop();
  await must("alice", ["policy", "owners", "alice", "carol", "bea", "--threshold", "2"]);
  await must("carol", ["policy", "sign", "--yes"]);
  await must("alice", ["grant", "bob", "audit", "--scope", "*"]);
  await must("carol", ["policy", "sign", "--yes"]);
  await must("carol", ["policy", "owners", "carol", "bea", "--threshold", "1"]);
  await must("alice", ["policy", "sign", "--yes"]);
  t.match(await by("alice", ["policy", "owners", "alice"]), { code: 3, err: "alice is none" });
  t.equal((await stored()).spec.owners.threshold, 1);
  await bed.startKeyring();
  await workspaceInForce(bed);
  await bed.applyBundle(bed.seal({ A: "after" }, { name: "later" }));
  await bed.settled("Synced", "later", "shop-prod", 60_000);
});
