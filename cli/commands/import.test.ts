// Plain Secrets and flat files on their way into bundles: what they become, what is left out, what is refused.
// The paths from other tools, on a real cluster, are hack/migrate/.
import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { type Ran, Workbench } from "../run.case.js";

const CANARY = "canary-8d21f0c4-value";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

async function ready(t: Test): Promise<Workbench> {
  const bench = new Workbench(t);
  await bench.init();
  return bench;
}

const imported = (bench: Workbench, stdin: string, ...more: readonly string[]) =>
  bench.must(["import", "-", ...more, "-o", "json"], { stdin });

async function valuesOf(bench: Workbench, bundle: string): Promise<Record<string, unknown>> {
  const { entries } = JSON.parse((await bench.must(["get", bundle, "-o", "json"])).out);
  const shown = Object.entries(entries as Record<string, { value?: string; base64?: string }>);
  return Object.fromEntries(shown.map(([key, { value, base64: bytes }]) => [key, value ?? { base64: bytes }]));
}

function secret(name: string, more: object = {}): string {
  return JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, data: { A: base64("a") }, ...more });
}

t.test("a Secret becomes the bundle of its name: data, stringData, type and what its target can say", async (t) => {
  const bench = await ready(t);
  const yaml = `apiVersion: v1
kind: Secret
metadata:
  name: web
  namespace: shop-dev
  labels: {team: shop}
  annotations: {example.com/note: "yes"}
type: kubernetes.io/basic-auth
immutable: true
data:
  username: ${base64("shop")}
  BINARY: ${Buffer.from([0, 255, 1]).toString("base64")}
  EMPTY: ""
  FOLDED: |
    ${base64("folded").slice(0, 4)}
    ${base64("folded").slice(4)}
  password: ${base64("loses")}
stringData:
  password: wins
`;
  bench.write("web.yaml", yaml);
  const ran = await bench.must(["import", "web.yaml", "-o", "json"]);
  t.match(JSON.parse(ran.out), {
    environment: "acme/shop/dev",
    bundles: [{ bundle: "shop-dev/web", new: true, target: "web", unchanged: [] }],
  });
  t.equal(ran.err, "", "nothing was left out");
  t.strictSame(await valuesOf(bench, "web"), {
    BINARY: { base64: "AP8B" },
    EMPTY: "",
    FOLDED: "folded",
    password: "wins",
    username: "shop",
  });
  const text = bench.read("zopp/shop-dev/web.yaml");
  t.match(text, /type: kubernetes.io\/basic-auth\n/);
  t.match(text, /labels:\n\s+team: shop\n/);
  t.match(text, /example.com\/note: "yes"\n/);
  t.match(text, /immutable: true\n/);
  await bench.must(["verify"]);
});

t.test(
  "what kubectl prints of a running Secret is taken; what zopp does not carry is said in a line each",
  async (t) => {
    const bench = await ready(t);
    const printed = secret("api", {
      metadata: {
        name: "api",
        namespace: "shop-dev",
        uid: "0b2e",
        resourceVersion: "7",
        creationTimestamp: "2026-01-01T00:00:00Z",
        labels: { "app.kubernetes.io/name": "api", "reconcile.external-secrets.io/managed": "true", kept: "1" },
        annotations: {
          "kubectl.kubernetes.io/last-applied-configuration": CANARY,
          "sealedsecrets.bitnami.com/managed": "true",
          "kustomize.toolkit.fluxcd.io/prune": "disabled",
        },
        ownerReferences: [{ apiVersion: "bitnami.com/v1alpha1", kind: "SealedSecret", name: "api", uid: "1" }],
        managedFields: [{ manager: "controller" }],
      },
    });
    const { err } = await imported(bench, printed);
    for (const left of [
      "labels app.kubernetes.io/name is left out",
      "labels reconcile.external-secrets.io/managed is left out",
      "annotations kubectl.kubernetes.io/last-applied-configuration is left out",
      "annotations sealedsecrets.bitnami.com/managed is left out",
      "annotations kustomize.toolkit.fluxcd.io/prune is left out",
      "ownerReferences is left out (SealedSecret api)",
      "managedFields is left out",
      "zopp takes the running one over once it has zopp.dev/adopt: api and SealedSecret api no longer own it",
    ]) {
      t.ok(err.includes(left), `${left}: ${err}`);
    }
    t.notMatch(err, CANARY);
    t.match(bench.read("zopp/shop-dev/api.yaml"), /target:\n\s+labels:\n\s+kept: "1"\n\s+header:/);
  },
);

t.test("several Secrets come as documents, as a List, or both; what else is among them is left out", async (t) => {
  const bench = await ready(t);
  const list = JSON.stringify({
    apiVersion: "v1",
    kind: "List",
    items: [JSON.parse(secret("two")), { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } }],
  });
  const ran = await imported(bench, `---\n${secret("one")}\n---\n${list}\n`);
  const names = JSON.parse(ran.out).bundles.map(({ bundle }: { bundle: string }) => bundle);
  t.strictSame(names, ["shop-dev/one", "shop-dev/two"]);
  t.match(ran.err, "items.1 of document 2 of stdin is no Secret (ConfigMap): left out");
});

t.test("a bundle that is there keeps its header, and must be for this Secret", async (t) => {
  const bench = await ready(t);
  await imported(bench, secret("api-env", { metadata: { name: "api-env", labels: { kept: "1" } } }), "api");
  const relabelled = secret("api-env", { metadata: { name: "api-env", labels: { kept: "2" } } });
  t.match((await imported(bench, relabelled, "api")).err, "its labels, annotations and immutable stay");
  t.match(bench.read("zopp/shop-dev/api.yaml"), /kept: "1"/);
  const renamed = await bench.run(["import", "-"], { stdin: secret("api") });
  t.match(
    renamed.err,
    "AlreadyExists: Secret api (stdin): bundle shop-dev/api is there and becomes the Secret api-env",
  );
  const retyped = await bench.run(["import", "-", "api"], { stdin: secret("api-env", { type: "example.com/own" }) });
  t.match(retyped.err, "is there and its Secret is of type Opaque");
});

t.test("a bundle of another name makes the same Secret", async (t) => {
  const bench = await ready(t);
  await imported(bench, secret("api-env"), "shop-dev/api");
  t.match(bench.read("zopp/shop-dev/api.yaml"), /target:\n\s+name: api-env\n/);
});

const FLAT: Readonly<Record<string, string>> = {
  "YAML, whose words stay as they are written": 'A: plain\nB: "007"\nC: 007\nD: yes\nE: 1e3\nF: |\n  two\n  lines\n',
  "JSON, indented as sops does":
    '{\n\t"A": "plain",\n\t"B": "007",\n\t"C": "007",\n\t"D": "yes",\n\t"E": 1e3,\n\t"F": "two\\nlines\\n"\n}\n',
};
for (const [title, text] of Object.entries(FLAT)) {
  t.test(`a flat file of keys: ${title}`, async (t) => {
    const bench = await ready(t);
    await imported(bench, text, "api");
    const values = { A: "plain", B: "007", C: "007", D: "yes", E: "1e3", F: "two\nlines\n" };
    t.strictSame(await valuesOf(bench, "api"), values);
  });
}

t.test("a flat file of keys: lines of KEY=VALUE, as kubectl and kustomize take them", async (t) => {
  const bench = await ready(t);
  const { err } = await imported(bench, "# made by sops\n\nA=x # y\nB=p#q=r \r\n  C='z'\nD=\n", "api");
  t.strictSame(await valuesOf(bench, "api"), { A: "x # y", B: "p#q=r ", C: "'z'", D: "" });
  t.match(err, "note: C: its quotes are part of the value");
});

t.test("a second import seals only what is new; what differs needs --replace", async (t) => {
  const bench = await ready(t);
  await imported(bench, "A=1\nB=2\n", "api");
  const before = bench.read("zopp/shop-dev/api.yaml");
  const same = await imported(bench, "A=1\nB=2\n", "api");
  t.match(JSON.parse(same.out).bundles, [{ new: false, sealed: [], unchanged: ["A", "B"] }]);
  t.equal(bench.read("zopp/shop-dev/api.yaml"), before, "not a byte changes");
  const refused = await bench.run(["import", "-", "api"], { stdin: "A=1\nB=other\nC=3\n" });
  t.equal(refused.code, 7);
  t.match(refused.err, /error: AlreadyExists: stdin: the bundle has B already/);
  t.equal(bench.read("zopp/shop-dev/api.yaml"), before, "and nothing of it is written");
  const replaced = await imported(bench, "A=1\nB=other\nC=3\n", "api", "--replace");
  t.match(JSON.parse(replaced.out).bundles, [{ sealed: [{ key: "B" }, { key: "C" }], unchanged: ["A"] }]);
  t.strictSame(await valuesOf(bench, "api"), { A: "1", B: "other", C: "3" });
  await bench.must(["unset", "api", "A"]);
  await imported(bench, "A=back\n", "api");
  t.match(await valuesOf(bench, "api"), { A: "back" }, "a key that was removed is new again");
});

t.test("an entry that nobody signed is not taken for unchanged", async (t) => {
  const bench = await ready(t);
  await imported(bench, "A=1\n", "api");
  const text = bench.read("zopp/shop-dev/api.yaml");
  const flipped = text.replace(
    /(A:\n(?:.*\n)*?\s+signature: .{40})(.)/,
    (_, head: string, char: string) => head + (char === "A" ? "B" : "A"),
  );
  t.not(flipped, text);
  bench.write("zopp/shop-dev/api.yaml", flipped);
  t.match((await bench.run(["import", "-", "api"], { stdin: "A=1\n" })).err, "AlreadyExists");
  await imported(bench, "A=1\n", "api", "--replace");
  await bench.must(["verify"]);
});

t.test("a brokered environment takes an import, and cannot compare", async (t) => {
  const bench = await ready(t);
  const keyring = identityFromSeed(newSeed());
  const keys = { signingKey: keyring.signing.verifyKey.text, encryptionKey: keyring.encryption.publicKey.text };
  await bench.amend((content) => ({ ...content, clusters: [{ name: "eu-1", ...keys, log: "log-1" }] }));
  await bench.must(["environment", "create", "shop/production", "-n", "shop-prod", "--kem", "x25519"]);
  await imported(bench, "A=1\n", "web", "-e", "shop/production");
  const again = await bench.run(["import", "-", "web", "-e", "shop/production"], { stdin: "A=1\n" });
  t.match(again.err, "with values that cannot be opened here: --replace seals them again");
  const other = await bench.run(["import", "-", "shop-prod/web", "-e", "shop/dev"], { stdin: "A=1\n" });
  t.match(other.err, "bundle shop-prod/web belongs to acme/shop/production, not to acme/shop/dev");
  await bench.must(["verify"]);
});

t.test("a value appears in no output and no file", async (t) => {
  const bench = await ready(t);
  const runs: Ran[] = [
    await bench.must(["import", "-"], { stdin: secret("api", { data: { K: base64(CANARY) } }) }),
    await bench.must(["import", "-", "web", "-o", "json"], { stdin: `K=${CANARY}\n` }),
    await bench.run(["import", CANARY, "web", "more"], { stdin: "" }),
    await bench.run(["import", "-"], { stdin: `{"apiVersion": "v1", "kind": "Secret", "${CANARY}` }),
    await bench.run(["import", "-", "web"], { stdin: `K: "${CANARY}\n` }),
  ];
  t.strictSame(
    runs.map(({ code }) => code === 0),
    [true, true, false, false, false],
  );
  for (const { out, err } of runs) t.notMatch(out + err, new RegExp(`${CANARY}|${base64(CANARY)}`));
  for (const file of bench.files()) t.notMatch(readFileSync(file, "latin1"), new RegExp(`${CANARY}|${base64(CANARY)}`));
});
