// A cluster's new key takes the place of its old one, and nothing else changes; what would leave it half done is refused or goes on.
import t from "tap";
import { parseEncryptionKey } from "../../crds/crypto/keys.js";
import { keyring, policyOf } from "../keyring.case.js";
import { git, Workbench } from "../run.case.js";

const PRODUCTION = "acme.shop.production";
const RECOVERY = ["--recovery-file", "../recovery.txt"];

/** Two clusters, of which eu-1 serves both environments: one that alice opens herself, and one that only keyrings and the recovery key open. */
async function served(bench: Workbench) {
  await bench.init();
  const [eu, us] = [keyring(), keyring()];
  const endpoint = ["--endpoint", "keyring.eu-1.example:8443"];
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes", ...endpoint], { stdin: eu.configMap });
  const us1 = ["cluster", "add", "us-1", "--from", "-", "--yes", "--environment", "shop/dev"];
  await bench.must(us1, { stdin: us.configMap });
  await bench.must(["environment", "create", "shop/production", "--namespace", "shop-prod", "--cluster", "eu-1"]);
  return { eu, us };
}

const renew = (bench: Workbench, name: string, { configMap }: { readonly configMap: string }, ...more: string[]) =>
  bench.run(["keys", "renew", name, "--from", "-", ...more], { stdin: configMap });

const kidOf = (text: string) => parseEncryptionKey(text)?.kid ?? "";

t.test(
  "the new key takes the place of the old one in the policy and in every environment that the cluster serves",
  async (t) => {
    const bench = new Workbench(t);
    const { eu, us } = await served(bench);
    const next = keyring({}, undefined, "log-2");
    const before = await policyOf(bench, PRODUCTION);
    const ran = await renew(bench, "eu-1", next, "--fingerprint", next.fingerprint, ...RECOVERY);
    t.equal(ran.code, 0, ran.err);
    const { workspace, environment } = await policyOf(bench, PRODUCTION);
    const [line, other] = workspace.clusters ?? [];
    const { signingKey, encryptionKey, log } = next.facts;
    t.same(line, { ...before.workspace.clusters?.[0], signingKey, encryptionKey, log }, "its endpoint stays");
    t.same(other, before.workspace.clusters?.[1]);
    t.same(workspace.environments, before.workspace.environments, "it serves what it served");
    const dev = (await policyOf(bench)).environment;
    for (const { keys } of [environment, dev]) {
      const recipients = keys[0]?.sealed.map(({ to }) => to) ?? [];
      t.ok(recipients.includes(kidOf(encryptionKey)));
      t.notOk(recipients.includes(kidOf(eu.facts.encryptionKey)));
    }
    t.ok(
      dev.keys[0]?.sealed.some(({ to }) => to === kidOf(us.facts.encryptionKey)),
      "the other cluster keeps its wrap",
    );
    t.equal((await bench.run(["verify"])).code, 0);
    t.match(ran.err, /takes nothing new; its Secrets stay as they are/);
    t.match(ran.err, /zopp\.dev\/reconcile/);
    for (const path of ["acme/shop/dev", "acme/shop/production"])
      t.match(ran.err, `if its seed may be in other hands, run \`zopp environment rekey ${path}\``);
  },
);

t.test("it is said which generated values have to be made anew, of what the cluster serves", async (t) => {
  const bench = new Workbench(t);
  await served(bench);
  await bench.must(["generate", "shop-prod/api", "TOKEN", "--kind", "uuid"], {
    env: { ZOPP_ENVIRONMENT: "production" },
  });
  const command = "zopp generate shop-prod/api TOKEN --again";
  const other = await renew(bench, "us-1", keyring(), "--yes");
  t.equal(other.code, 0, other.err);
  t.notMatch(other.err, command);
  const ran = await renew(bench, "eu-1", keyring(), "--yes", ...RECOVERY);
  t.equal(ran.code, 0, ran.err);
  const said = "the new keyring takes no value that the former one made; this has another one made";
  t.match(ran.err, `${said}, in every cluster that serves the bundle: \`${command}\``);
});

t.test("a renewal beside a file that cannot be read is told whole, and what cannot be told of it", async (t) => {
  const bench = new Workbench(t);
  await served(bench);
  bench.write("zopp/broken.yaml", "apiVersion: zopp.dev/v1alpha1\nkind: ZoppSecret\nmetadata: {name: 1}\n");
  const ran = await renew(bench, "eu-1", keyring(), "--yes", ...RECOVERY);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /takes nothing new; its Secrets stay as they are/);
  t.match(ran.err, /generated values.*cannot be told: Malformed.*`zopp doctor`/);
});

t.test("an environment that the cluster does not serve stays as it is", async (t) => {
  const bench = new Workbench(t);
  await served(bench);
  const before = bench.read(`zopp/${PRODUCTION}.yaml`);
  t.equal((await renew(bench, "us-1", keyring(), "--yes")).code, 0, "alice's own key opens what us-1 serves");
  t.equal(bench.read(`zopp/${PRODUCTION}.yaml`), before);
  t.same((await policyOf(bench, PRODUCTION)).workspace.environments?.[1]?.clusters, ["eu-1"]);
});

t.test("what is no renewal, or could not be finished, is refused and changes nothing", async (t) => {
  const bench = new Workbench(t);
  const { eu, us } = await served(bench);
  const files = ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml", `zopp/${PRODUCTION}.yaml`];
  const before = files.map((file) => bench.read(file));
  const next = keyring();
  const pin = (await bench.must(["trust"])).out.match(/acme@\d+:[0-9a-f]+/)?.[0] ?? "";
  await bench.person("bob", pin);
  const cases: readonly (readonly [what: string, run: () => ReturnType<typeof renew>, code: number, said: RegExp])[] = [
    [
      "a cluster that nobody knows",
      () => renew(bench, "ap-1", next, "--yes"),
      4,
      /NotFound.*names no cluster ap-1.*zopp cluster add/,
    ],
    ["the old key", () => renew(bench, "eu-1", eu, "--yes"), 7, /NotRenewed.*eu-1[\s\S]*another seed first/],
    ["another cluster's key", () => renew(bench, "eu-1", us, "--yes", ...RECOVERY), 7, /AlreadyExists.*us-1/],
    ["no way to open the key", () => renew(bench, "eu-1", next, "--yes"), 6, /NotRecipient.*--recovery-file/],
    [
      "another keyring than the person looked at",
      () => renew(bench, "eu-1", next, "--fingerprint", eu.fingerprint),
      3,
      /KeyringMismatch/,
    ],
    ["nobody compares", () => renew(bench, "eu-1", next, ...RECOVERY), 2, /Usage.*--fingerprint/],
    [
      "somebody who is no owner",
      () =>
        bench.run(["keys", "renew", "eu-1", "--from", "-", "--yes", ...RECOVERY], { stdin: next.configMap, as: "bob" }),
      3,
      /UnknownSigner/,
    ],
  ];
  for (const [what, run, code, said] of cases) {
    const ran = await run();
    t.equal(ran.code, code, `${what}: ${ran.err}`);
    t.match(ran.err, said, what);
  }
  t.same(
    files.map((file) => bench.read(file)),
    before,
  );
});

t.test("a renewal whose keys another keyring could not wrap yet goes on when it is run again", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const clusters = { "eu-1": keyring(), "us-1": keyring() };
  for (const [name, { configMap }] of Object.entries(clusters))
    await bench.must(["cluster", "add", name, "--from", "-", "--yes"], { stdin: configMap });
  const create = ["environment", "create", "shop/production", "--namespace", "shop-prod", "--cluster", "eu-1"];
  await bench.must([...create, "--cluster", "us-1"]);
  const next = keyring();
  const unreached = await renew(bench, "us-1", next, "--yes", "--through", "eu-1");
  t.match(unreached, { code: 8, err: /us-1 is in the policy but has no key of acme\/shop\/production yet/ });
  t.equal((await bench.run(["verify"])).code, 0);
  const again = await renew(bench, "us-1", next, "--yes", ...RECOVERY);
  t.equal(again.code, 0, again.err);
  const { environment } = await policyOf(bench, PRODUCTION);
  t.ok(environment.keys[0]?.sealed.some(({ to }) => to === kidOf(next.facts.encryptionKey)));
  t.match(await renew(bench, "us-1", next, "--yes"), { code: 7, err: /NotRenewed/ }, "and then it is done");
});

t.test("what somebody wrote who left gets a baseline for the new keyring", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: keyring().configMap });
  await bench.must(["set", "api", "BOB"], { stdin: "b", as: "bob" });
  git(bench, "init", "-q");
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "bob is here");
  await bench.must(["principal", "remove", "bob"]);
  const next = keyring();
  const ran = await renew(bench, "eu-1", next, "--yes", "--base", "HEAD");
  t.equal(ran.code, 0, ran.err);
  t.match(bench.read("zopp/acme.shop.dev.baseline.yaml"), "name: api");
  t.equal((await bench.run(["verify", "--as-new-cluster"])).code, 0);
});
