// Joining by an invite in a checkout: the request goes by hand. By a keyring: hack/e2e/joining.test.ts.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { parseInvite } from "../../crds/policy/invite.js";
import type { WorkspaceSpec } from "../../crds/types.gen.js";
import { Workbench } from "../run.case.js";
import { openDirectory } from "../store/directory.js";

interface Joined {
  readonly fingerprint: string;
  readonly pin: string;
  readonly request: Readonly<Record<string, string>>;
}

async function workbench(t: Test): Promise<Workbench> {
  const bench = new Workbench(t);
  await bench.init();
  return bench;
}

async function invite(bench: Workbench, ...more: string[]): Promise<string> {
  return (await bench.must(["invite", "create", "bob", ...more])).out;
}

/** `zopp join --offline` with a code; what it printed lies in a file beside. */
async function joined(bench: Workbench, code: string, as = "bob"): Promise<Joined & { readonly file: string }> {
  const words = ["join", "--code-file", "-", "--device", "laptop", "--offline", "-o", "json"];
  const told = JSON.parse((await bench.must(words, { as, stdin: code })).out) as Joined;
  const file = join(bench.folder, `${as}.join`);
  writeFileSync(file, JSON.stringify(told.request));
  return { ...told, file };
}

async function policy(bench: Workbench): Promise<WorkspaceSpec> {
  const store = openDirectory({ root: join(bench.checkout, "zopp"), cwd: bench.checkout });
  const found = await store.read("ZoppWorkspace", { name: "acme" });
  if (found === undefined) throw new Error("no workspace");
  return found.spec;
}

const approve = (...words: string[]) => ["principal", "approve", "bob", ...words];

t.test("a person joins by an invite, and writes once an owner has admitted the device", async (t) => {
  const bench = await workbench(t);
  const code = await invite(bench, "--role", "write", "--scope", "shop");
  t.match(await policy(bench), { invites: [{ name: "bob", grant: { role: "write", scope: "shop" } }] });
  const bob = await joined(bench, code);
  t.match(await bench.run(["set", "api", "K"], { as: "bob", stdin: "v" }), { code: 3, err: "UnknownSigner" });
  const before = await policy(bench);
  await bench.must(approve("--request", bob.file, "--fingerprint", bob.fingerprint.replaceAll("-", " ")));
  const after = await policy(bench);
  t.equal(after.ancestors?.length, (before.ancestors?.length ?? 0) + 1, "it takes one version");
  t.equal(after.invites, undefined, "the invite is used up");
  await bench.must(["set", "api", "K"], { as: "bob", stdin: "v" });
  t.equal((await bench.must(["get", "api", "K"], { as: "bob" })).out, "v", "a direct environment's key came with it");
  await bench.must(["revoke", "bob", "write", "--scope", "shop"]);
});

t.test("a person without a store gets the request on stdout, and the identity that asked", async (t) => {
  const bench = await workbench(t);
  const code = await invite(bench);
  const elsewhere = { as: "bob", cwd: bench.folder };
  const ran = await bench.must(["join", "--device", "laptop"], { ...elsewhere, answers: [code] });
  const { keys } = JSON.parse((await bench.must(["whoami", "-o", "json"], elsewhere)).out) as {
    keys: { signingKey: string };
  };
  t.match(JSON.parse(ran.out), { signingKey: keys.signingKey, invite: "bob" });
  t.match(ran.err, /fingerprint (?:[0-9a-f]{4}-?){6}/);
  t.match((await bench.must(["trust"], elsewhere)).out, parseInvite(code).pin.owners);
  const again = await joined(bench, code);
  t.equal(again.request["signingKey"], keys.signingKey, "asked again, it is the same device");
});

t.test("the code is kept nowhere, and an identity that is there is used", async (t) => {
  const bench = await workbench(t);
  const code = (await invite(bench)).trim();
  await joined(bench, code);
  const seed = Buffer.from(parseInvite(code).seed);
  for (const file of bench.files()) {
    const bytes = readFileSync(file);
    for (const form of [code, seed.toString("base64"), seed.toString("hex")])
      t.notOk(bytes.includes(form), `${file} does not hold it`);
  }
});

t.test("an owner sees the fingerprint and says whether it is the person's", async (t) => {
  const bench = await workbench(t);
  const bob = await joined(bench, await invite(bench));
  const words = approve("--request", bob.file);
  const asked = await bench.run(words, { answers: ["n"] });
  t.match(asked, { code: 1, err: bob.fingerprint });
  t.match(await bench.run(words), { code: 2, err: "--fingerprint" }, "nobody is there to ask");
  t.match(await bench.run([...words, "--fingerprint", "0000-0000"]), { code: 3, err: "JoinRefused" });
  t.match(await policy(bench), { principals: [{ name: "alice" }], invites: [{ name: "bob" }] });
  await bench.must(words, { answers: ["y"] });
});

t.test("two devices under one invite block each other until one is picked by its fingerprint", async (t) => {
  const bench = await workbench(t);
  const code = await invite(bench, "--role", "admin", "--scope", "*");
  const bob = await joined(bench, code);
  const mallory = await joined(bench, code, "mallory");
  const both = approve("--request", mallory.file, "--request", bob.file);
  const blocked = await bench.run([...both, "--yes"]);
  t.match(blocked, { code: 7, err: "InviteContested" });
  t.match(blocked.err, bob.fingerprint);
  t.match(blocked.err, mallory.fingerprint);
  await bench.must([...both, "--fingerprint", bob.fingerprint]);
  const keys = (await policy(bench)).principals.map(({ devices }) => devices?.[0]?.signingKey);
  t.same(keys.slice(1), [bob.request["signingKey"]]);
  const late = await bench.run(approve("--request", mallory.file, "--yes"));
  t.match(late, { code: 4, err: "no invite bob" }, "who came second finds the invite used");
});

t.test("a forged, copied, late or replayed request admits nobody", async (t) => {
  const bench = await workbench(t);
  const code = await invite(bench, "--role", "write", "--expires", "12h");
  const bob = await joined(bench, code);
  const before = bench.read("zopp/acme.yaml");
  const refused = async (title: string, request: object, why: RegExp | string) => {
    const file = join(bench.folder, "forged.join");
    writeFileSync(file, JSON.stringify(request));
    t.match(await bench.run(approve("--request", file, "--yes")), { err: why }, title);
    t.equal(bench.read("zopp/acme.yaml"), before, title);
  };
  const { signature = "", proof = "" } = bob.request;
  await refused("signed by no invite", { ...bob.request, signature: proof }, "not signed by the invite's key");
  await refused("without the device's own signature", { ...bob.request, proof: signature }, "the new device's own key");
  const mallory = await joined(bench, code, "mallory");
  const stolen = { ...bob.request, encryptionKey: mallory.request["encryptionKey"] };
  await refused("with another key to be wrapped to", stolen, "not signed");
  await refused("with more than it may ask", { ...bob.request, role: "admin" }, "Malformed");
  bench.tick(13 * 3600);
  await refused("after the invite's end", bob.request, "JoinRefused");
  await bench.must(["invite", "create", "bob", "--role", "admin", "--scope", "*"]);
  t.match(
    await bench.run(approve("--request", bob.file, "--yes")),
    { code: 3, err: "JoinRefused" },
    "replayed under the next invite",
  );
  await bench.must(["invite", "revoke", "bob"]);
  t.match(await bench.run(approve("--request", bob.file, "--yes")), { code: 4 }, "revoked");
});

t.test("a code that was not copied whole is refused, and leaves nothing behind", async (t) => {
  const bench = await workbench(t);
  const code = (await invite(bench)).trim();
  for (const wrong of [code.slice(0, -1), code.replace("bob", "rob"), "", "zopp_x"]) {
    const ran = await bench.run(["join", "--code-file", "-", "--offline"], { as: "bob", stdin: wrong });
    t.match(ran, { code: 5, err: "InviteInvalid" });
    t.notMatch(ran.err, code.slice(20));
  }
  t.match(await bench.run(["whoami"], { as: "bob" }), { err: "NoIdentity" });
});

t.test("an invite does not move a pin that is there", async (t) => {
  const bench = await workbench(t);
  const code = await invite(bench);
  const { pin } = parseInvite(code);
  await bench.must(["trust", `acme@1:${"0".repeat(64)}`], { as: "bob" });
  const ran = await bench.run(["join", "--code-file", "-", "--offline"], { as: "bob", stdin: code });
  t.match(ran, { code: 3, err: "PinMismatch" });
  await bench.must(["trust", "--replace", `acme@1:${pin.owners}`], { as: "bob" });
  await joined(bench, code);
  t.match((await bench.must(["trust"], { as: "bob" })).out, `acme@${pin.minVersion}:`);
});

t.test("a further device of a person joins in the same way, and has the person's rights", async (t) => {
  const bench = await workbench(t);
  const bob = await joined(bench, await invite(bench, "--role", "write", "--scope", "shop"));
  t.match(await bench.run(["invite", "create", "bob", "--device"]), { code: 4, err: "no principal bob" });
  await bench.must(approve("--request", bob.file, "--yes"));
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.match(await bench.run(["invite", "create", "bob", "--device", "--role", "admin"]), { code: 2, err: "--role" });
  const code = await invite(bench, "--device");
  const same = await joined(bench, code, "phone");
  t.match(await bench.run(approve("--request", same.file, "--yes")), { code: 7, err: "a device laptop already" });
  const words = ["join", "--code-file", "-", "--device", "phone", "--offline"];
  const request = (await bench.must(words, { as: "phone", stdin: code })).out;
  await bench.must(approve("--request", "-", "--yes"), { stdin: request });
  t.match((await policy(bench)).principals[1], { name: "bob", devices: [{ name: "laptop" }, { name: "phone" }] });
  t.equal((await bench.must(["get", "api", "K"], { as: "phone" })).out, "v");
});

t.test("an owner's further device is a change of owners that others follow", async (t) => {
  const bench = await workbench(t);
  const pin = (await bench.must(["trust"])).out.trim();
  const { out: code } = await bench.must(["invite", "create", "alice", "--device"]);
  const words = ["join", "--code-file", "-", "--device", "phone", "--offline"];
  const request = (await bench.must(words, { as: "phone", stdin: code })).out;
  await bench.must(["principal", "approve", "alice", "--request", "-", "--yes"], { stdin: request });
  t.equal((await policy(bench)).rotations?.length, 1);
  await bench.must(["invite", "create", "bob"], { as: "phone" });
  await bench.person("dora", pin);
  await bench.must(["verify"], { as: "dora" });
});

t.test("where no keyring can be asked, it is said how the request goes by hand", async (t) => {
  const bench = await workbench(t);
  const code = await invite(bench);
  const words = ["join", "--code-file", "-", "--device", "laptop"];
  const ran = await bench.run(words, { as: "bob", stdin: code });
  t.match(ran, { code: 6, err: /NoRecipient: workspace acme names no cluster.*--offline/ });
  await joined(bench, code);
});

t.test("invites are made by owners, for names that nobody has", async (t) => {
  const bench = await workbench(t);
  const bob = await joined(bench, await invite(bench));
  t.match(await bench.run(["invite", "create", "bob"]), { code: 7, err: "invited already" });
  t.match(await bench.run(["invite", "create", "alice"]), { code: 7, err: "names a principal alice already" });
  t.match(await bench.run(["invite", "create", "zoe", "--scope", "shop"]), { code: 2, err: "--role" });
  const some = await bench.run(["invite", "create", "zoe", "--role", "read", "--scope", "shop", "--keys", "A_*"]);
  t.match(some, { code: 3, err: "GrantNotEnforceable" }, "nor with a grant that nobody could be admitted with");
  await bench.must(approve("--request", bob.file, "--yes"));
  t.match(await bench.run(["invite", "create", "eve"], { as: "bob" }), { code: 3, err: "NotAuthorised" });
  await bench.must(["invite", "create", "eve", "--expires", "12h"]);
  t.match((await bench.must(["invite", "list"])).out, /eve +\S+Z +nothing yet/);
  bench.tick(13 * 3600);
  t.match((await bench.must(["invite", "list"])).out, "(ended)");
  await bench.must(["invite", "create", "zoe"]);
  t.match(await policy(bench), { invites: [{ name: "zoe" }] }, "what has ended goes by the way");
});
