// Clusters over time, on real API servers with real processes: a second one is added through the keyring of the first, the
// first is lost and rebuilt from git and the recovery key, and all Secrets are back, also what people wrote who left.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { git, Workbench } from "../../cli/run.case.js";
import { openDirectory } from "../../cli/store/directory.js";
import { change } from "../../cli/store/store.js";
import { newRecovery, wrapToAge } from "../../crds/crypto/age.js";
import { formatToken } from "../../crds/crypto/token.js";
import { newEnvironment, newWorkspace } from "../../crds/policy/edit.js";
import type { ZoppBaseline, ZoppEnvironment } from "../../crds/types.gen.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { silentLog } from "../../operator/kube/observe.js";
import {
  type KubeObject,
  type Resource,
  SECRETS,
  ZOPP_AUDIT_SEGMENTS,
  ZOPP_BASELINES,
  ZOPP_ENVIRONMENTS,
  ZOPP_LEDGERS,
} from "../../operator/kube/resources.js";
import { must } from "../control-plane/kubectl.js";
import { eventually } from "../eventually.js";
import { acmeContent, digestOfOwners, environmentKey, identityOf, seedOf } from "../fixtures.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { signing } from "../testbed.policy.js";
import { readLog } from "./log.js";
import { noStockAge, openWithStockAge } from "./stock-age.js";

const PATH = "acme/shop/production";
const NAME = "acme.shop.production";
const VALUES = {
  api: { ALICE: "alice's", BOB: "bob's" },
  web: { TOKEN: "bob's alone" },
  job: { A: "a", IMAGE_TAG: "v1" },
};

const bench = new Workbench(t);
const recovery = await newRecovery();
const recoveryFile = join(bench.folder, "recovery.txt");
writeFileSync(recoveryFile, `# kept in the safe\n${recovery.identity}\n`, { mode: 0o600 });
const owners = await writePolicy();

/** A workspace that names no cluster yet; the environment's key is wrapped to the recovery key alone. Gives the owners' digest. */
async function writePolicy(): Promise<string> {
  const workspace = newWorkspace(
    "acme",
    acmeContent({
      clusters: [],
      environments: [{ name: "shop/production", namespaces: ["shop-prod"] }],
      recovery: [{ name: "safe", recipient: recovery.recipient }],
    }),
    signing(),
  );
  const { privateKey, public: made } = environmentKey.xwing;
  const sealed = [{ to: recovery.recipient, age: await wrapToAge(recovery.recipient, privateKey) }];
  const scope = { workspace: "acme", project: "shop", environment: "production" };
  const keys = [{ epoch: 1, binding: "object", public: made.text, sealed }] as const;
  const environment = newEnvironment({ ...scope, access: "brokered", keys }, signing());
  await openDirectory({ root: bench.path("zopp"), cwd: bench.checkout }).write([
    change("ZoppWorkspace", { name: "acme" }, () => workspace),
    change("ZoppEnvironment", { name: NAME }, () => environment),
  ]);
  git(bench, "init", "-q");
  commit("policy");
  return digestOfOwners(workspace);
}

/** A command in the checkout, by the real clock: keyrings have it too. */
function zopp(words: readonly string[], { by = "alice", stdin = "" } = {}) {
  bench.tick(Math.max(0, Math.ceil((Date.now() - bench.now.getTime()) / 1000)));
  const env = {
    ZOPP_TOKEN: formatToken(seedOf(by), owners),
    ZOPP_WORKSPACE: "acme",
    ZOPP_PROJECT: "shop",
    ZOPP_ENVIRONMENT: "production",
  };
  return bench.run([...words, "--store", "zopp"], { env, stdin });
}

async function done(words: readonly string[], given: { readonly by?: string; readonly stdin?: string } = {}) {
  const ran = await zopp(words, given);
  if (ran.code !== 0) throw new Error(`zopp ${words.join(" ")} ended with ${ran.code}: ${ran.err}${ran.out}`);
  return ran;
}

function commit(text: string): string {
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", text);
  return git(bench, "rev-parse", "HEAD").trim();
}

const running = new Set<Testbed>();
t.teardown(async () => {
  for (const bed of running) await bed.stop();
});

/** A cluster without policy: its keyring runs, and waits. */
async function emptyCluster(): Promise<Testbed> {
  const bed = await startTestbed({ ready: false });
  running.add(bed);
  return bed;
}

async function lose(bed: Testbed): Promise<void> {
  running.delete(bed);
  await bed.stop();
}

/** What GitOps does with the checkout, or a part of it. */
function deploy(bed: Testbed, part = "zopp"): Promise<string> {
  return must(bed.controlPlane.kubectl(["apply", "--server-side", "--recursive", "-f", bench.path(part)]));
}

/** Waits until this is the reason of an object's Ready condition; an operator asks a keyring twice a minute when all is quiet. */
function settledAs(bed: Testbed, resource: Resource, reason: string): Promise<boolean> {
  const isSettled = async () => {
    const found = await bed.client.get<KubeObject & Pick<ZoppBaseline, "status">>(resource, { name: NAME });
    const ready = readyOf(found.status);
    if (ready?.reason === reason && ready.observedGeneration === found.metadata.generation) return true;
    throw new Error(`${resource.kind} is ${ready?.reason}: ${ready?.message}`);
  };
  return eventually(isSettled, { timeoutMs: 60_000, message: `${resource.kind} ${NAME} is ${reason}` });
}

async function allThere(t: Pick<typeof import("tap").t, "same">, bed: Testbed): Promise<void> {
  for (const [name, values] of Object.entries(VALUES)) {
    await bed.settled("Synced", name);
    t.same((await bed.secret(name)).data, values, name);
  }
}

const at = (bed: Testbed) => ["--kubeconfig", bed.controlPlane.kubeconfig, "--yes"];
const eu1 = await emptyCluster();
let whileBobWasHere = "";
let baselineOfEu2 = "";

t.test("the first cluster gets its keys by the recovery key, and people fill it", async (t) => {
  const endpoint = ["--endpoint", `127.0.0.1:${eu1.ports.keyring}`];
  await done(["cluster", "add", "eu-1", ...at(eu1), ...endpoint, "--recovery-file", recoveryFile]);
  await done(["set", "shop-prod/api", "ALICE"], { stdin: "alice's" });
  await done(["set", "shop-prod/api", "BOB"], { by: "bob", stdin: "bob's" });
  await done(["set", "shop-prod/web", "TOKEN"], { by: "bob", stdin: "bob's alone" });
  await done(["set", "shop-prod/job", "A"], { stdin: "a" });
  await done(["set", "shop-prod/job", "IMAGE_TAG"], { by: "ci", stdin: "v1" });
  whileBobWasHere = commit("while bob is here");
  await deploy(eu1);
  await eu1.startOperator();
  await allThere(t, eu1);
});

t.test("somebody leaves: what runs goes on, and a new keyring would refuse what he wrote", async (t) => {
  await done(["principal", "remove", "bob"]);
  commit("bob left");
  await deploy(eu1);
  await allThere(t, eu1);
  t.match(await zopp(["verify", "--as-new-cluster"]), { code: 3, out: /AuthorLeft.*BOB/ });
});

t.test("a newer policy is in force where it was offered, though the API has the older one", async (t) => {
  await done(["group", "add", "oncall", "alice"]);
  const offered = await done(["policy", "offer", "--cluster", "eu-1"]);
  t.match(offered.out, /eu-1: zoppworkspace\/acme version \d+ is in force/);
  const accepted = (await readLog(eu1)).filter(({ action }) => action === "accept-workspace").at(-1);
  t.match(accepted, { decision: "accepted", actor: "alice/laptop", object: "acme" });
  git(bench, "stash", "-q");
  const older = await zopp(["policy", "offer", "--cluster", "eu-1"]);
  git(bench, "stash", "pop", "-q");
  t.match(older, { code: 7, out: /PolicyRollback/ });
  commit("on call");
});

t.test("a second cluster gets its keys from the keyring of the first, and what bob wrote by a baseline", async (t) => {
  const eu2 = await emptyCluster();
  const added = await done(["cluster", "add", "eu-2", ...at(eu2), "--base", whileBobWasHere]);
  t.match(added.out, /serves acme\/shop\/production/);
  t.match(
    (await readLog(eu1)).filter(({ action }) => action === "wrap"),
    [{ decision: "released", actor: "alice/laptop", evidence: "proved", object: PATH, recipient: "eu-2", epochs: [1] }],
  );
  t.match(await zopp(["verify", "--as-new-cluster"]), { code: 0 });
  baselineOfEu2 = commit("eu-2");
  const baseline = bench.read(`zopp/${NAME}.baseline.yaml`);
  bench.write(`zopp/${NAME}.baseline.yaml`, "");
  await deploy(eu2, "zopp/shop-prod");
  for (const part of ["acme", NAME]) await deploy(eu2, `zopp/${part}.yaml`);
  await eu2.startOperator();
  await eu2.settled("Synced", "job");
  await eu2.settled("UnknownSigner", "api");
  await eu2.settled("UnknownSigner", "web");
  bench.write(`zopp/${NAME}.baseline.yaml`, baseline);
  await deploy(eu2, `zopp/${NAME}.baseline.yaml`);
  await allThere(t, eu2);
  await settledAs(eu2, ZOPP_BASELINES, "Accepted");
  await deploy(eu1);
  await allThere(t, eu1);
  await lose(eu2);
});

const ASKED: readonly (readonly [who: string, to: string, code: string])[] = [
  ["alice", "cluster us-1", "UnknownRecipient"],
  ["alice", "alice", "UnknownRecipient"],
  ["carol", "cluster us-1", "NotAuthorised"],
  ["ci", "ci", "NotAuthorised"],
  ["bob", "bob", "Unauthenticated"],
];

t.test(
  "a keyring wraps to nobody whom the policy in force does not name, whoever asks, and puts it on record",
  async (t) => {
    for (const [who, to, code] of ASKED) {
      const keyring = connectKeyring({
        address: `127.0.0.1:${eu1.ports.keyring}`,
        keyringKey: eu1.keyringKey,
        identity: identityOf(who).signing,
        log: silentLog,
      });
      await t.rejects(keyring.wrap(PATH, identityOf(to).encryption.publicKey.kid), { code }, `${who} for ${to}`);
      await keyring.close();
    }
    // the key of somebody who left is nobody's: it reaches no method, and is no line of the log
    const wanted = ASKED.filter(([who]) => who !== "bob").map(([who, , code]) => [`${who}/laptop`, code]);
    const refused = async () =>
      (await readLog(eu1)).filter(({ action, decision }) => action === "wrap" && decision === "refused");
    await eventually(async () => (await refused()).length >= wanted.length);
    t.same(
      (await refused()).map(({ actor, reason }) => [actor, reason]),
      wanted,
    );
  },
);

t.test("the recovery key opens every key, also with the stock age tool alone", { skip: noStockAge() }, async (t) => {
  t.match((await done(["keys", "drill", "--recovery-file", recoveryFile])).out, "opens all 1 keys of workspace acme");
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  const environment = (await store.read("ZoppEnvironment", { name: NAME })) as ZoppEnvironment;
  const { age = "" } = environment.spec.keys[0]?.sealed.find(({ to }) => to.startsWith("age1")) ?? {};
  const opened = await openWithStockAge(recoveryFile, Buffer.from(age, "base64"));
  t.same(new Uint8Array(opened), environmentKey.xwing.privateKey);
});

t.test("the first cluster is lost, and rebuilt from git and the recovery key with all its Secrets", async (t) => {
  await lose(eu1);
  const rebuilt = await emptyCluster();
  t.match(await zopp(["cluster", "add", "eu-1", ...at(rebuilt), "--recovery-file", recoveryFile]), {
    code: 7,
    err: /AlreadyExists.*--replace/,
  });
  const replace = ["cluster", "add", "eu-1", ...at(rebuilt), "--replace", "--recovery-file", recoveryFile];
  await done([...replace, "--base", whileBobWasHere]);
  commit("eu-1 is rebuilt");
  const baseline = bench.read(`zopp/${NAME}.baseline.yaml`);
  bench.write(`zopp/${NAME}.baseline.yaml`, git(bench, "show", `${baselineOfEu2}:zopp/${NAME}.baseline.yaml`));
  await deploy(rebuilt);
  await rebuilt.startOperator();
  await settledAs(rebuilt, ZOPP_BASELINES, "BaselineOutdated");
  await rebuilt.settled("UnknownSigner", "web");
  bench.write(`zopp/${NAME}.baseline.yaml`, baseline);
  await deploy(rebuilt);
  await allThere(t, rebuilt);
  await lostLog(t, rebuilt);
});

/** Ledger and log are deleted, by accident or not: nothing is accepted but what a baseline lists that was signed since. */
async function lostLog(t: Pick<typeof import("tap").t, "same" | "match">, bed: Testbed): Promise<void> {
  await bed.keyring.stop();
  for (const resource of [ZOPP_LEDGERS, ZOPP_AUDIT_SEGMENTS]) {
    const { items } = await bed.client.list<KubeObject>(resource, { namespace: "zopp-system" });
    for (const { metadata } of items) await bed.client.delete(resource, metadata);
  }
  await bed.startKeyring();
  await settledAs(bed, ZOPP_ENVIRONMENTS, "LedgerLost");
  const { data } = await bed.secret("web");
  t.same(data, VALUES.web, "the last good Secrets stay");
  for (const name of Object.keys(VALUES)) await bed.client.delete(SECRETS, { namespace: "shop-prod", name });
  await bed.settled("LedgerLost", "web");
  await done(["baseline", "create", "--all", "--base", whileBobWasHere]);
  await deploy(bed);
  await allThere(t, bed);
  await done(["set", "shop-prod/job", "A"], { stdin: "newer" });
  await deploy(bed);
  await bed.settled("LedgerLost", "job");
  t.same((await bed.secret("job")).data, VALUES.job, "new content waits for an owner");
  await done(["cluster", "add", "eu-1", ...at(bed)]);
  await deploy(bed);
  await bed.settled("Synced", "job");
  t.match((await bed.secret("job")).data, { A: "newer" });
}
