// `zopp expire` on a directory: what it changes, and whose values it will not sign. Through a keyring: hack/e2e/expiry.slow.ts.
import t, { type Test } from "tap";
import type { Entry, ZoppSecret } from "../../crds/types.gen.js";
import { Workbench } from "../run.case.js";
import { readManifests } from "../store/yaml.read.js";

const FILE = "zopp/shop-dev/api.yaml";

function entriesOf(bench: Workbench): Readonly<Record<string, Entry>> {
  const [manifest] = readManifests(bench.read(FILE), FILE);
  return (manifest?.value as ZoppSecret | undefined)?.spec.data ?? {};
}

/** acme with a bundle of two values of alice's; gives the pin. */
async function withApi(t: Test): Promise<{ readonly bench: Workbench; readonly pin: string }> {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.must(["set", "shop-dev/api", "TOKEN"], { stdin: "tok-123" });
  await bench.must(["set", "shop-dev/api", "OTHER"], { stdin: "x" });
  return { bench, pin };
}

t.test("a value gets an end, another one, and none, and stays what it is", async (t) => {
  const { bench } = await withApi(t);
  const before = entriesOf(bench);
  const ran = await bench.must(["expire", "api", "TOKEN", "--at", "2099-02-18"]);
  t.match(ran.out, /^TOKEN: ends at 2099-02-18T00:00:00Z, in shop-dev\/api of acme\/shop\/dev \(/);
  const { TOKEN, OTHER } = entriesOf(bench);
  t.equal(TOKEN?.expires, "2099-02-18T00:00:00Z");
  t.ok((TOKEN?.version ?? 0) > (before["TOKEN"]?.version ?? 0), "under a new version");
  t.same(OTHER, before["OTHER"], "not a byte of another key");
  await bench.must(["expire", "api", "TOKEN", "OTHER", "--in", "90d"]);
  const { TOKEN: nearer, OTHER: other } = entriesOf(bench);
  t.equal(nearer?.expires, `${new Date(bench.now.getTime() + 90 * 86_400_000).toISOString().slice(0, 19)}Z`);
  t.equal(other?.expires, nearer?.expires);
  const never = await bench.must(["expire", "api", "TOKEN", "--never", "-o", "json"]);
  t.match(JSON.parse(never.out), { bundle: "shop-dev/api", environment: "acme/shop/dev", changed: ["TOKEN"] });
  t.equal(entriesOf(bench)["TOKEN"]?.expires, undefined);
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "tok-123");
  t.notMatch(ran.out + ran.err + never.out + never.err, "tok-123");
  await bench.must(["verify"]);
});

t.test("an end that a value has already changes nothing", async (t) => {
  const { bench } = await withApi(t);
  await bench.must(["expire", "api", "TOKEN", "--at", "2099-02-18"]);
  const before = bench.read(FILE);
  for (const words of [
    ["TOKEN", "--at", "2099-02-18T00:00:00Z"],
    ["OTHER", "--never"],
  ])
    t.equal((await bench.must(["expire", "api", ...words])).out, "nothing was changed\n");
  t.equal(bench.read(FILE), before);
});

t.test("what is meant must be said, once and in the form of its flag", async (t) => {
  const { bench } = await withApi(t);
  const before = bench.read(FILE);
  for (const [words, text] of [
    [[], "say when"],
    [["--in", "90d", "--never"], "say when"],
    [["--in", "90d", "--at", "2099-01-01"], "say when"],
    [["--in", "2099-01-01"], "--in is 90d"],
    [["--at", "90d"], "--at is 2027"],
    [["--at", "2020-01-01"], "--at lies in the past"],
    [["--in", "0d"], "--in lies in the past"],
    [["--at", "soon"], "--at is"],
  ] as const) {
    const ran = await bench.run(["expire", "api", "TOKEN", ...words]);
    t.equal(ran.code, 2, words.join(" "));
    t.match(ran.err, text);
  }
  const missing = await bench.run(["expire", "api", "NOBODY", "--never"]);
  t.match([missing.code, missing.err], [4, "has no key NOBODY"]);
  await bench.must(["unset", "api", "OTHER"]);
  t.equal((await bench.run(["expire", "api", "OTHER", "--in", "1d"])).code, 4, "a tombstone has no end");
  t.equal(entriesOf(bench)["TOKEN"]?.expires, undefined);
  t.match(before, "TOKEN");
});

t.test("who may write and not read is told how else, and changes nothing", async (t) => {
  const { bench, pin } = await withApi(t);
  await bench.admit("ci", pin, "--kind", "service");
  await bench.must(["grant", "ci", "submit", "--scope", "shop/dev"]);
  const before = bench.read(FILE);
  const ran = await bench.run(["expire", "api", "TOKEN", "--in", "90d"], { as: "ci" });
  t.equal(ran.code, 6);
  t.match(ran.err, /NotRecipient: .*write it again by `zopp set shop-dev\/api TOKEN --expires …`/);
  t.equal(bench.read(FILE), before);
  await bench.must(["set", "api", "TOKEN", "--expires", "90d"], { as: "ci", stdin: "tok-456" });
  t.ok(entriesOf(bench)["TOKEN"]?.expires);
});

t.test("who may read and not write gives no value an end", async (t) => {
  const { bench, pin } = await withApi(t);
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"]);
  const ran = await bench.run(["expire", "api", "TOKEN", "--in", "90d"], { as: "bob" });
  t.match([ran.code, ran.err], [3, "NotAuthorised: bob may not write TOKEN"]);
});

/** The value of TOKEN as somebody else put it there, who is no author that a keyring would take it from. */
const LAUNDERED: Record<string, { put: (bench: Workbench, pin: string) => Promise<void>; code: string }> = {
  "a value of somebody whom the policy never named": {
    async put(bench) {
      const kid = /by: (zk1[a-z2-7]{16})/.exec(bench.read(FILE))?.[1] ?? "";
      const at = bench.read(FILE).indexOf("TOKEN:");
      const [head, tail] = [bench.read(FILE).slice(0, at), bench.read(FILE).slice(at)];
      bench.write(FILE, head + tail.replace(kid, "zk1aaaaaaaaaaaaaaaa"));
    },
    code: "UnknownSigner",
  },
  "a value of somebody who left": {
    async put(bench, pin) {
      await bench.admit("bob", pin);
      await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
      await bench.must(["set", "api", "TOKEN"], { as: "bob", stdin: "bob's" });
      await bench.must(["principal", "remove", "bob"]);
    },
    code: "UnknownSigner",
  },
  "a value of somebody who may not write it any more": {
    async put(bench, pin) {
      await bench.admit("bob", pin);
      await bench.must(["grant", "bob", "submit", "--scope", "shop/dev"]);
      await bench.must(["set", "api", "TOKEN"], { as: "bob", stdin: "bob's" });
      await bench.must(["revoke", "bob", "submit", "--scope", "shop/dev"]);
    },
    code: "NotAuthorised",
  },
  "a value that was changed after it was signed": {
    async put(bench) {
      bench.write(FILE, bench.read(FILE).replace(/(TOKEN:\n(?:.*\n)*?\s+version: )\d+/, "$120261123101112"));
    },
    code: "SignatureInvalid",
  },
};
for (const [what, { put, code }] of Object.entries(LAUNDERED)) {
  t.test(`${what} does not become the signer's own by getting another end`, async (t) => {
    const { bench, pin } = await withApi(t);
    await put(bench, pin);
    const before = bench.read(FILE);
    const ran = await bench.run(["expire", "api", "TOKEN", "--in", "90d"]);
    t.equal(ran.code, 3, ran.err);
    t.match(ran.err, `error: ${code}: `);
    t.match(ran.err, "zopp set shop-dev/api TOKEN --expires");
    t.equal(bench.read(FILE), before);
    await bench.must(["expire", "api", "OTHER", "--in", "90d"]);
  });
}

t.test("a value that waits for approval does not become another author's", async (t) => {
  const { bench, pin } = await withApi(t);
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  await bench.production("shop-prod", ["bob", "alice"]);
  await bench.must(["set", "shop-prod/web", "TOKEN", "-e", "shop/production"], { stdin: "one" });
  await bench.must(["approve", "shop-prod/web"], { as: "bob" });
  await bench.must(["set", "shop-prod/web", "TOKEN"], { as: "bob", stdin: "bob's, who could approve it then" });
  const ran = await bench.run(["expire", "shop-prod/web", "TOKEN", "--in", "90d"]);
  t.match([ran.code, ran.err], [3, /PendingApproval: .*zopp set shop-prod\/web TOKEN --expires/]);
  await bench.must(["approve", "shop-prod/web"]);
  await bench.must(["expire", "shop-prod/web", "TOKEN", "--in", "90d"]);
});
