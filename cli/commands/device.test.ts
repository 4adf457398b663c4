// Devices that come and go: who then opens what, and how those follow who were away when an owner's keys changed.
import { cpSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { parsePin } from "../../crds/policy/pin.js";
import { judgeWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppWorkspace } from "../../crds/types.gen.js";
import { Workbench } from "../run.case.js";
import { openDirectory } from "../store/directory.js";

/** Alice's workspace with bob, who reads, a value, and another device of a person whom the policy does not name yet. */
async function withDevice(bench: Workbench, device: string): Promise<string> {
  const pin = await bench.init();
  await bench.admit("bob", pin, "--device", "laptop");
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"]);
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
  await bench.person(device, pin);
  bench.write("device.json", (await bench.must(["whoami", "-o", "json"], { as: device })).out);
  return pin;
}

async function workspaceOf(bench: Workbench): Promise<ZoppWorkspace> {
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  const found = await store.read("ZoppWorkspace", { name: "acme" });
  if (found === undefined) throw new Error("no workspace");
  return found;
}

t.test("another device of a reader gets the key of a direct environment, and loses it when it goes", async (t) => {
  const bench = new Workbench(t);
  await withDevice(bench, "phone");
  t.equal((await bench.run(["get", "api", "TOKEN"], { as: "phone" })).code, 6);
  await bench.must(["device", "add", "bob", "phone", "--from", "device.json"]);
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "phone" })).out, "x");
  const gone = await bench.must(["device", "remove", "bob", "phone", "-o", "json"]);
  t.match(JSON.parse(gone.out), { removed: "bob/phone", lost: [{ environment: "acme/shop/dev", principal: "bob" }] });
  t.match(await bench.run(["get", "api", "TOKEN"], { as: "phone" }), { code: 6, out: "" });
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "bob" })).out, "x", "his other device goes on");
});

t.test("an owner's new device leaves a rotation that a client and a keyring's judge follow", async (t) => {
  const bench = new Workbench(t);
  const pin = await withDevice(bench, "phone");
  const away = await workspaceOf(bench);
  const accepted = judgeWorkspace({ candidate: away, pin: parsePin(pin), now: bench.now });
  await bench.must(["device", "add", "alice", "phone", "--from", "device.json"]);
  const { err } = await bench.must(["device", "remove", "alice", "laptop"], { as: "phone" });
  t.match(err, "the owners' keys changed");
  t.match(err, /alice\/laptop signed .*shop-dev\/api \(header, TOKEN\).*zopp set --sign-header/);
  const candidate = await workspaceOf(bench);
  t.equal(candidate.spec.rotations?.length, 2);
  for (const known of [{ accepted }, { pin: parsePin(pin) }])
    t.equal(judgeWorkspace({ candidate, ...known, now: bench.now }).version, candidate.spec.version);
  await bench.must(["verify"], { as: "bob" });
  await bench.person("dora", pin);
  t.equal((await bench.run(["verify"], { as: "dora" })).code, 0, "one with the first pin");
  await bench.must(["set", "api", "TOKEN", "--sign-header"], { as: "phone", stdin: "by phone" });
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "bob" })).out, "by phone");
  t.match((await bench.run(["set", "api", "TOKEN"], { stdin: "y" })).err, "UnknownSigner", "the laptop signs no more");
});

t.test("two devices of one owner are one owner, and cannot change the owners alone", async (t) => {
  const bench = new Workbench(t);
  await withDevice(bench, "phone");
  await bench.must(["device", "add", "alice", "phone", "--from", "device.json"]);
  const signers = async (...names: string[]) => ({
    signingKeys: await Promise.all(names.map(async (name) => (await bench.identity(name)).signing)),
    now: bench.now,
  });
  const both = { threshold: 2, principals: ["alice", "bob"] };
  await bench.amend((content) => ({ ...content, owners: both }), await signers("alice", "bob"));
  t.equal((await bench.run(["verify"])).code, 0);
  await bench.person("tablet");
  bench.write("tablet.json", (await bench.must(["whoami", "-o", "json"], { as: "tablet" })).out);
  const ran = await bench.must(["device", "add", "alice", "tablet", "--from", "tablet.json"]);
  t.match(ran.err, /PartlySigned: .*1 of 2 owners' signatures; missing from: bob/);
  t.match(await bench.run(["policy", "sign", "--yes"], { as: "phone" }), { code: 7, err: "alice has signed" });
  await bench.must(["policy", "propose", "--drop"]);
  await bench.amend((content) => ({ ...content, groups: [] }), await signers("alice", "phone"));
  t.match(await bench.run(["set", "api", "TOKEN"], { stdin: "y" }), { code: 7, err: "has 1 of 2 owners' signatures" });
});

t.test("what cannot be done with devices is refused, and nothing is written", async (t) => {
  const bench = new Workbench(t);
  await withDevice(bench, "phone");
  const token = (await bench.must(["token", "create", "ci", "--scope", "shop/dev"])).out.trim();
  await bench.amend((content) => ({
    ...content,
    principals: [
      ...content.principals,
      { name: "job", kind: "workload", cluster: "eu-1", serviceAccount: "shop-dev/job" },
    ],
  }));
  cpSync(bench.path("zopp"), join(bench.folder, "before"), { recursive: true });
  const from = ["--from", "device.json"];
  const cases: [string, string[], string, number][] = [
    ["of nobody", ["add", "eve", "phone", ...from], "NotFound: workspace acme names no principal eve", 4],
    ["of a workload", ["add", "job", "phone", ...from], "Usage: principal job is a workload", 2],
    ["a name that is taken", ["add", "bob", "laptop", ...from], "AlreadyExists: principal bob has a device laptop", 7],
    [
      "one that is not there",
      ["remove", "bob", "phone"],
      "NotFound: principal bob has no device phone; it has lapt",
      4,
    ],
    ["the only one", ["remove", "bob", "laptop"], "StillNeeded: device laptop is the only one of principal bob", 7],
  ];
  for (const [title, words, text, exit] of cases)
    t.match(await bench.run(["device", ...words]), { code: exit, err: text }, title);
  const denied = "NotAuthorised: workspace acme is signed by its owners";
  t.match(await bench.run(["device", "add", "bob", "phone", ...from], { as: "bob" }), { code: 3, err: denied });
  const service = { as: "ci", env: { ZOPP_TOKEN: token } };
  t.match(
    await bench.run(["device", "add", "ci", "phone", ...from], service),
    { code: 3, err: denied },
    "a service adds itself no device",
  );
  t.equal(bench.read("zopp/acme.yaml"), bench.read("../before/acme.yaml"));
  const phone = JSON.parse(bench.read("device.json")) as { keys: { signingKey: string; encryptionKey: string } };
  const { signingKey, encryptionKey } = phone.keys;
  const forged = (await bench.identity("bob")).signing;
  await bench.amend(
    (content) => ({
      ...content,
      principals: content.principals.map((each) =>
        each.name === "bob"
          ? { ...each, devices: [...(each.devices ?? []), { name: "phone", signingKey, encryptionKey }] }
          : each,
      ),
    }),
    { signingKeys: [forged], now: bench.now },
  );
  const read = await bench.run(["get", "api", "TOKEN"], { as: "phone" });
  t.match(read, { code: 7, out: "", err: "PartlySigned" }, "nor by a policy that it signed itself");
});
