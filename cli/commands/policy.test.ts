// Commands that sign policy: init, trust, environment create, grant, cluster add. What they make is judged again by
// other people's commands; what a git writer swaps in is refused by everybody who has a pin.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type Identity, identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import type { WorkspaceContent } from "../../crds/policy/edit.js";
import { type ClusterFacts, clusterStatement, signStatement } from "../../crds/statement.js";
import { principalOf, Workbench } from "../run.case.js";

const CREATE = ["environment", "create", "shop/production", "--namespace", "shop-prod"];

/** A ConfigMap as a keyring publishes it. */
function published(keyring: Identity, changes: Partial<ClusterFacts> = {}): string {
  const facts = {
    signingKey: keyring.signing.verifyKey.text,
    encryptionKey: keyring.encryption.publicKey.text,
    log: "log-1",
    clusterUid: "00000000-0000-4000-8000-000000000000",
  };
  const signature = signStatement(keyring.signing, clusterStatement({ ...facts, ...changes }));
  const data = { ...facts, ...changes, signature };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "zopp-cluster", namespace: "zopp-system" },
    data,
  });
}

function keyringOf(
  bench: Workbench,
  changes: Partial<ClusterFacts> = {},
  keyring = identityFromSeed(newSeed()),
): Identity {
  writeFileSync(bench.path("cluster.json"), published(keyring, changes));
  return keyring;
}

const ADD = ["cluster", "add", "eu-1", "--from", "cluster.json", "--yes"];

t.test("init makes an identity, a signed policy and settings, and prints the pin of a keyring", async (t) => {
  const bench = new Workbench(t);
  const ran = await bench.must(["init", "acme/shop/dev", "--recovery-file", "recovery.txt"]);
  t.match(ran.out, /--trust acme@\d{14}:[0-9a-f]{64}/);
  const recovery = bench.read("recovery.txt");
  t.match(recovery, /^AGE-SECRET-KEY-/m);
  for (const file of bench.files()) {
    if (!file.endsWith("recovery.txt")) t.notMatch(readFileSync(file, "utf8"), "AGE-SECRET-KEY-", file);
  }
  t.notMatch(ran.out + ran.err, "AGE-SECRET-KEY-");
  const home = bench.environmentOf("alice")["ZOPP_HOME"] ?? "";
  t.equal(statSync(home).mode & 0o777, 0o700);
  t.equal(statSync(join(home, "identity.age")).mode & 0o777, 0o600);
  t.equal(statSync(bench.path("recovery.txt")).mode & 0o777, 0o600);
  t.match(readFileSync(join(home, "identity.age"), "utf8"), "-----BEGIN AGE ENCRYPTED FILE-----");
  await bench.must(["verify"]);
  t.match((await bench.must(["whoami"])).out, "alice");
});

t.test("init refuses what is there already, and loses nothing", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const before = bench.read("zopp/acme.yaml");
  const again = await bench.run(["init", "acme/shop/dev", "--recovery-file", "second.txt"]);
  t.equal(again.code, 7);
  t.match(again.err, "AlreadyExists");
  t.equal(bench.read("zopp/acme.yaml"), before);
  const elsewhere = await bench.run(["init", "acme", "--store", "elsewhere", "--recovery-file", "second.txt"]);
  t.match(elsewhere.err, "AlreadyExists", "a pinned name is not taken over");
  t.equal((await bench.run(["init", "Acme"], { as: "bob" })).code, 2);
  t.equal((await bench.run(["init", "acme/shop"], { as: "bob" })).code, 2);
  t.equal(
    (await bench.run(["init", "other", "--store", "other"], { as: "bob" })).code,
    2,
    "nobody is there to be shown the recovery key",
  );
});

t.test("a git writer who swaps workspace and environment for his own gets nothing sealed", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.must(["set", "api", "A"], { stdin: "a" });
  const evil = new Workbench(t);
  await evil.init();
  for (const file of ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml"]) bench.write(file, evil.read(file));
  const before = bench.read("zopp/shop-dev/api.yaml");
  for (const words of [
    ["set", "api", "A"],
    ["unset", "api", "A"],
    ["get", "api", "A"],
    ["grant", "alice", "audit", "--scope", "*"],
    [...CREATE, "--access", "direct"],
  ]) {
    const ran = await bench.run(words, { stdin: "secret" });
    t.equal(ran.code, 3, words.join(" "));
    t.match(ran.err, "error: PinMismatch: ");
    t.equal(bench.read("zopp/shop-dev/api.yaml"), before);
  }
  const verified = await bench.run(["verify"]);
  t.equal(verified.code, 3);
  t.match(verified.out, "PinMismatch");
  t.notMatch(verified.out, "verified");
  t.match(
    (await bench.run(["set", "api", "A"], { stdin: "s", as: "ci", env: { ZOPP_TRUST: pin } })).err,
    "PinMismatch",
  );
  t.match((await bench.run(["set", "api", "A"], { stdin: "s", as: "stranger" })).err, "NotPinned");
});

t.test("a pin in the settings or the store is no pin, and an older policy is refused", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const older = bench.read("zopp/acme.yaml");
  await bench.must(["grant", "alice", "audit", "--scope", "*"]);
  await bench.must(["set", "api", "A"], { stdin: "a" });
  bench.write("zopp/acme.yaml", older);
  t.match((await bench.run(["set", "api", "A"], { stdin: "b" })).err, "PolicyRollback");
  bench.write("zopp.yaml", `${bench.read("zopp.yaml")}trust: "${pin}"\n`);
  const ran = await bench.run(["set", "api", "A"], { stdin: "b", as: "bob" });
  t.equal(ran.code, 5);
  t.match(ran.err, "Malformed");
});

t.test("trust pins, shows, refuses other owners, and forgets", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.must(["trust", pin], { as: "bob" });
  t.match((await bench.must(["trust"], { as: "bob" })).out, pin.split(":")[1] ?? "?");
  await bench.must(["verify"], { as: "bob" });
  t.equal((await bench.run(["trust", "acme@7:short"], { as: "bob" })).code, 2);
  const other = `acme@7:${"0".repeat(64)}`;
  t.not((await bench.run(["trust", other], { as: "bob" })).code, 0, "a pin is not silently put in another one's place");
  await bench.must(["trust", other, "--replace"], { as: "bob" });
  t.match((await bench.run(["verify"], { as: "bob" })).out, "PinMismatch");
  await bench.must(["trust", "acme", "--remove"], { as: "bob" });
  t.match((await bench.run(["verify"], { as: "bob" })).out, "NotPinned");
});

t.test("a brokered environment needs a cluster, and is opened by nobody here", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const alone = await bench.run(CREATE);
  t.equal(alone.code, 6);
  t.match(alone.err, "NoRecipient");
  keyringOf(bench);
  await bench.must(ADD);
  await bench.must([...CREATE, "--kem", "x25519"]);
  await bench.must(["set", "web", "K", "-e", "shop/production"], { stdin: "v" });
  const got = await bench.run(["get", "web", "K"]);
  t.equal(got.code, 6);
  t.match(got.err, "BrokeredOnly");
  await bench.must(["verify"]);
  t.match((await bench.run(CREATE)).err, "AlreadyExists");
  t.match(
    (await bench.run(["environment", "create", "shop/x", "-n", "shop-prod", "--access", "direct"])).err,
    "NamespaceConflict",
  );
  t.match(
    (await bench.run(["environment", "create", "shop/x", "-n", "kube-system", "--access", "direct"])).err,
    "NamespaceConflict",
  );
  t.equal((await bench.run(["environment", "create", "shop/x", "--access", "direct"])).code, 2);
});

t.test("cluster add wraps the environments' keys to the keyring, and follows its log", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const keyring = keyringOf(bench);
  await bench.must(ADD);
  t.match(bench.read("zopp/acme.shop.dev.yaml"), keyring.encryption.publicKey.kid);
  t.match(bench.read("zopp/acme.yaml"), keyring.signing.verifyKey.text);
  await bench.must(["verify"]);
  const before = bench.read("zopp/acme.yaml");
  await bench.must(ADD);
  t.equal(bench.read("zopp/acme.yaml"), before, "the same again changes nothing");
  keyringOf(bench, { log: "log-2" }, keyring);
  await bench.must(ADD);
  t.match(bench.read("zopp/acme.yaml"), "log: log-2");
  keyringOf(bench);
  t.match((await bench.run(ADD)).err, "AlreadyExists", "another keyring of that name");
});

t.test("cluster add refuses a ConfigMap that is forged, torn or not compared", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const before = bench.read("zopp/acme.yaml");
  const refused = async (words: readonly string[], code: string, options: Parameters<Workbench["run"]>[1] = {}) => {
    t.match((await bench.run(words, options)).err, `error: ${code}: `);
    t.equal(bench.read("zopp/acme.yaml"), before);
  };
  const keyring = keyringOf(bench);
  const ask = ADD.filter((word) => word !== "--yes");
  await refused(ask, "Usage");
  await refused(ask, "Interrupted", { answers: ["n"] });
  await refused([...ask, "--fingerprint", "0000"], "KeyringMismatch");
  await refused([...ADD, "-e", "shop/nowhere"], "UnknownEnvironment");
  const forged = JSON.parse(published(keyring)) as { data: Record<string, string> };
  forged.data["encryptionKey"] = identityFromSeed(newSeed()).encryption.publicKey.text;
  writeFileSync(bench.path("cluster.json"), JSON.stringify(forged));
  await refused(ADD, "SignatureInvalid");
  writeFileSync(bench.path("cluster.json"), "{}");
  await refused(ADD, "Malformed");
  await refused(["cluster", "add", "eu-1", "--from", "nowhere.json"], "NotFound");
});

t.test("the recovery key opens what this identity cannot", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  await bench.amend((content) => ({
    ...content,
    owners: { threshold: 1, principals: ["alice", "bob"] },
    principals: [...content.principals, principalOf("bob", bob)],
    grants: [...(content.grants ?? []), { subject: "bob", role: "admin", scope: "*" }],
  }));
  keyringOf(bench);
  t.match((await bench.run(ADD, { as: "bob" })).err, "NotRecipient");
  await bench.must([...ADD, "--recovery-file", join(bench.folder, "recovery.txt")], { as: "bob" });
  await bench.must(["verify"]);
});

t.test("a grant lets somebody in, and what cannot be granted is refused", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  await bench.amend((content) => ({ ...content, principals: [...content.principals, principalOf("bob", bob)] }));
  t.match((await bench.run(["set", "api", "K"], { as: "bob", stdin: "v" })).err, "NotAuthorised");
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  await bench.must(["set", "api", "K"], { as: "bob", stdin: "v" });
  t.equal(
    (await bench.must(["get", "api", "K"], { as: "bob" })).out,
    "v",
    "a reader of a direct environment gets its key",
  );
  const limited = await bench.run(["grant", "bob", "read", "--scope", "shop", "--keys", "A_*"]);
  t.match(
    [limited.code, limited.err],
    [3, "GrantNotEnforceable"],
    "a read grant that needs a keyring, where there is none",
  );
  t.match((await bench.run(["grant", "nobody", "read", "--scope", "shop"])).err, "NotFound");
  t.equal((await bench.run(["grant", "bob", "owner", "--scope", "shop"])).code, 2);
  t.equal((await bench.run(["grant", "bob", "audit", "--scope", "shop", "--expires", "2001-01-01"])).code, 2);
  const before = bench.read("zopp/acme.yaml");
  const greedy = await bench.run(["grant", "bob", "admin", "--scope", "*"], { as: "bob" });
  t.match([greedy.code, greedy.err], [3, "NotAuthorised"], "nobody but an owner signs the workspace");
  t.equal(bench.read("zopp/acme.yaml"), before);
});

t.test("what waits for another owner's signature is said, and no pin follows it", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  const add = (content: WorkspaceContent) => ({
    ...content,
    principals: [...content.principals, principalOf("bob", bob)],
  });
  await bench.amend(add);
  await bench.must(["verify"]);
  const accepted = bench.read("zopp/acme.yaml");
  const both = { signingKeys: [(await bench.identity()).signing, bob.signing], now: bench.now };
  await bench.amend((content) => ({ ...content, owners: { threshold: 2, principals: ["alice", "bob"] } }), both);
  await bench.must(["verify"]);
  const owned = bench.read("zopp/acme.yaml");
  t.not(owned, accepted);
  const half = await bench.must(["grant", "bob", "audit", "--scope", "*"]);
  t.match(half.err, "PartlySigned");
  const ran = await bench.run(["set", "api", "K"], { stdin: "v" });
  t.equal(ran.code, 7);
  t.match(ran.err, "PartlySigned");
  bench.write("zopp/acme.yaml", owned);
  await bench.must(["set", "api", "K"], { stdin: "v" });
});
