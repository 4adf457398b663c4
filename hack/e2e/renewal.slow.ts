// A cluster's keyring gets another seed while its Secrets run: real keyring, real operator, real API server. What is there stays,
// what is new waits until `zopp keys renew`, and whoever kept the old seed opens nothing that was sealed after the rekey.
import { renameSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openPrivateKey, openValueWith } from "../../cli/epoch-keys.js";
import { git, Workbench } from "../../cli/run.case.js";
import { openDirectory } from "../../cli/store/directory.js";
import { type DecryptionKey, decryptionKeyFromRaw } from "../../crds/crypto/identity.js";
import { readEnvironment } from "../../crds/policy/environment.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { readSeed } from "../../operator/keyring/keys.js";
import { must } from "../control-plane/kubectl.js";
import { eventually } from "../eventually.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf } from "../testbed.look.js";
import { readLog } from "./log.js";

const SCOPE = "shop/production";
const NAME = "acme.shop.production";
const bench = new Workbench(t);
const pin = await bench.init();
const bed = await startTestbed({ ready: false, trust: pin });
t.teardown(() => bed.stop());
const kubectl = kubectlOf(bed);
const RECOVERY = ["--recovery-file", "../recovery.txt"];
const HERE = ["--kubeconfig", bed.controlPlane.kubeconfig, "--yes"];
const former = (file: string) => join(bed.folder, `former-${file}`);

function commit(text: string): string {
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", text);
  return git(bench, "rev-parse", "HEAD").trim();
}

/** What GitOps does with the checkout, or with a part of it. */
const deploy = (part = "zopp") =>
  must(bed.controlPlane.kubectl(["apply", "--server-side", "--recursive", "-f", bench.path(part)]));
const set = (bundle: string, key: string, value: string, env = {}) =>
  bench.must(["set", `shop-prod/${bundle}`, key], { stdin: value, env: { ZOPP_ENVIRONMENT: "production", ...env } });

const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
async function environmentNow() {
  const found = await store.read("ZoppEnvironment", { name: NAME });
  if (found === undefined) throw new Error("no environment");
  return readEnvironment(found);
}
async function bundleNow(name: string): Promise<ZoppSecret> {
  const found = await store.read("ZoppSecret", { namespace: "shop-prod", name });
  if (found === undefined) throw new Error(`no bundle ${name}`);
  return found;
}

async function stop(): Promise<void> {
  await bed.operator.stop();
  await bed.keyring.stop();
}

async function start(): Promise<void> {
  await bed.startKeyring();
  await bed.startOperator();
}

let whileCiWasHere = "";
let withFormerWraps: Awaited<ReturnType<typeof environmentNow>>;
let before: Awaited<ReturnType<typeof bed.secret>>;
/** The Secret of api: neither written nor made anew. */
async function untouched(t: Pick<typeof import("tap").t, "same" | "equal">): Promise<void> {
  const { data, metadata } = await bed.secret("api");
  t.same(data, before.data);
  t.equal(metadata.uid, before.metadata.uid);
  t.equal(metadata.resourceVersion, before.metadata.resourceVersion);
}

t.test("a cluster serves what alice and a token wrote, and the token is revoked", async (t) => {
  git(bench, "init", "-q");
  await bench.must(["cluster", "add", "eu-1", ...HERE]);
  await bench.must(["environment", "create", SCOPE, "--namespace", "shop-prod", "--cluster", "eu-1"]);
  const token = (await bench.must(["token", "create", "ci", "--scope", SCOPE])).out.trim();
  for (const bundle of ["api", "web"]) await set(bundle, "PASSWORD", "first");
  await set("api", "IMAGE_TAG", "v1", { ZOPP_TOKEN: token });
  whileCiWasHere = commit("ci sets the image");
  withFormerWraps = await environmentNow();
  await deploy();
  await bed.startOperator();
  for (const bundle of ["api", "web"]) await bed.settled("Synced", bundle);
  await bench.must(["token", "revoke", "ci"]);
  commit("ci is gone");
  await deploy();
  before = await bed.secret("api");
  t.same(before.data, { IMAGE_TAG: "v1", PASSWORD: "first" });
});

t.test("there is nothing to renew while the keyring has its old seed", async (t) => {
  const policy = bench.read("zopp/acme.yaml");
  t.match(await bench.run(["keys", "renew", "eu-1", ...HERE, ...RECOVERY]), { code: 7, err: /NotRenewed/ });
  t.equal(bench.read("zopp/acme.yaml"), policy);
});

t.test("with another seed the keyring takes nothing new, and what runs stays", async (t) => {
  await stop();
  renameSync(bed.seedFile, former("seed"));
  renameSync(bed.publicFile, former("public"));
  await bed.makeSeed();
  await start();
  await set("web", "PASSWORD", "second");
  commit("a change in between");
  await deploy();
  await bed.settled("ClusterNotNamed", "web");
  t.same((await bed.secret("web")).data, { PASSWORD: "first" });
  await untouched(t);
});

t.test("renewed, the cluster goes on where it was, and nothing that ran was touched", async (t) => {
  const ran = await bench.must(["keys", "renew", "eu-1", ...HERE, ...RECOVERY, "--base", whileCiWasHere]);
  t.match(ran.err, `zopp environment rekey acme/${SCOPE}`);
  t.equal((await bench.run(["verify", "--as-new-cluster"])).code, 0);
  commit("eu-1 has another key");
  await deploy();
  await bed.settled("Synced", "web");
  t.same((await bed.secret("web")).data, { PASSWORD: "second" });
  await untouched(t);
});

t.test(
  "what the keyring has taken in stays good when it is changed, also what was written by a token that is gone",
  async (t) => {
    await kubectl("annotate", "zoppsecrets", "--all", "--overwrite", "zopp.dev/reconcile=now");
    const isTakenIn = async () =>
      (await readLog(bed)).some(({ action, object }) => action === "open" && object === "shop-prod/api");
    await eventually(isTakenIn, { timeoutMs: 30_000, message: "the new log holds api" });
    await untouched(t);
    await set("api", "PASSWORD", "second");
    commit("a change after it");
    await deploy();
    await eventually(async () => (await bed.secret("api")).data?.["PASSWORD"] === "second");
    t.equal((await bed.secret("api")).data?.["IMAGE_TAG"], "v1");
  },
);

t.test("a keyring with the old seed is nobody: put back, it opens nothing", async (t) => {
  await stop();
  const swap = (one: string, other: string) => {
    renameSync(one, `${one}.aside`);
    renameSync(other, one);
    renameSync(`${one}.aside`, other);
  };
  const swapSeeds = () => {
    swap(bed.seedFile, former("seed"));
    swap(bed.publicFile, former("public"));
  };
  swapSeeds();
  await start();
  await set("web", "PASSWORD", "third");
  commit("while the old seed is back");
  await deploy();
  await bed.settled("ClusterNotNamed", "web");
  t.same((await bed.secret("web")).data, { PASSWORD: "second" });
  await stop();
  swapSeeds();
  await start();
  await bed.settled("Synced", "web");
});

t.test("whoever kept the old seed opens no key that is wrapped now, and after a rekey no value", async (t) => {
  const kept = { identity: await readSeed([former("seed")]) };
  const now = await environmentNow();
  await t.rejects(openPrivateKey(now, now.newest, kept), { code: "NotRecipient" });
  const raw = await openPrivateKey(withFormerWraps, withFormerWraps.newest, kept);
  const opens: DecryptionKey = decryptionKeyFromRaw("xwing", raw);
  const value = openValueWith(await bundleNow("web"), "PASSWORD", now, opens);
  t.equal(Buffer.from(value).toString(), "third", "the environment's own key is as old as it was: hence the rekey");
  await bench.must(["environment", "rekey", SCOPE, ...RECOVERY, "--base", whileCiWasHere]);
  commit("a new epoch");
  await deploy();
  const next = await environmentNow();
  await t.rejects(openPrivateKey(next, next.newest, kept), { code: "NotRecipient" });
  for (const name of ["api", "web"]) {
    const bundle = await bundleNow(name);
    t.throws(() => openValueWith(bundle, "PASSWORD", next, opens), { code: "CannotOpen" });
    await bed.settled("Synced", name);
  }
  await set("web", "PASSWORD", "fourth");
  await deploy();
  await eventually(async () => (await bed.secret("web")).data?.["PASSWORD"] === "fourth");
});
