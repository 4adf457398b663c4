// Owns the story of the demo up to the attacks: what is done, in which order, and what must be so after each step.
// Does not own how it looks, nor the attacks.
import { readFileSync, statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { eventually } from "../eventually.js";
import { PLACE, type Scene } from "./scene.js";
import { ALICE } from "./stage.js";

/** The file of the story's bundle in Alice's checkout. */
export const MANIFEST = `zopp/${PLACE.namespace}/${PLACE.name}.yaml`;
const APPLY = "kubectl apply --server-side -R -f zopp";
const PUBLISHED =
  "kubectl get configmap zopp-cluster -n zopp-system -o go-template='{{range $k, $v := .data}}{{$k}}: {{$v}}{{\"\\n\"}}{{end}}'";

/** Plays everything up to a bundle that is live and has followed one change. */
export async function playStory(scene: Scene): Promise<void> {
  await startCluster(scene);
  await makeSeed(scene);
  const pin = await makeWorkspace(scene);
  const fingerprint = await startKeyring(scene, pin);
  await addCluster(scene, fingerprint);
  await setValues(scene);
  await deliver(scene);
  await changeValue(scene);
}

async function startCluster(scene: Scene): Promise<void> {
  const { narrator, stage } = scene;
  narrator.chapter("A Kubernetes API server");
  narrator.say("A real etcd, API server and controller manager, on this machine only, with zopp's resource types.");
  await stage.startControlPlane((line) => narrator.plain([line]));
  const types = await scene.type("kubectl api-resources --api-group=zopp.dev");
  scene.check(/^zoppsecrets +zs /m.test(types), "Kubernetes knows bundles (ZoppSecret, zs) and the policy around them");
}

async function makeSeed(scene: Scene): Promise<void> {
  scene.narrator.chapter("A seed for the cluster's keyring");
  scene.narrator.say(
    "The keyring is the one process that holds a cluster's private keys. They all come from this seed, which never leaves it; the public key is what the operator knows its keyring by.",
  );
  await scene.type("zopp-keyring keygen --seed ../../keyring/seed --public ../../keyring/keyring.pub");
  const { mode } = statSync(`${scene.stage.folder}/keyring/seed`);
  scene.check((mode & 0o777) === 0o600, "the seed is a file that only its owner may read");
}

async function makeWorkspace(scene: Scene): Promise<string> {
  const { narrator } = scene;
  narrator.chapter("A workspace, made offline in a git repository");
  narrator.say(
    "Alice owns the workspace acme: a policy, signed with her key, of who may do what. Her identity lies outside the repository, behind a passphrase. The recovery key is given out this once; only its public half is kept.",
  );
  await scene.type("git init -q -b main");
  const text = await scene.type(
    "zopp init acme/shop/production --namespace shop-prod --namespace shop-canary --device laptop --recovery-file ../recovery.txt",
  );
  await scene.type("tail -n 1 ../recovery.txt");
  await scene.type('git add . && git commit -q -m "Secrets live here" && git ls-files');
  const pin = /acme@\d+:[0-9a-f]{64}/.exec(text)?.[0];
  scene.check(pin !== undefined, "the pin names the workspace, its version and its owners' keys");
  return pin ?? "";
}

async function startKeyring(scene: Scene, pin: string): Promise<string> {
  const { narrator, stage } = scene;
  narrator.chapter("The keyring starts, told whom to trust");
  narrator.say(
    "The pin is all that it takes on trust, and it comes from its installer: not from git, not from the API.",
  );
  narrator.command(await stage.startKeyring(pin));
  const opened = await eventually(() => stage.keyring.lines.find((line) => line.includes('"log opened"')));
  const { fingerprint } = JSON.parse(opened) as { fingerprint: string };
  narrator.say("");
  const { keyringHealth } = stage.ports;
  await scene.probe(keyringHealth, "/healthz", "200 ok");
  await scene.probe(keyringHealth, "/readyz", "503 NoPolicy");
  narrator.check("it is healthy, and not ready: no policy of that pin is here yet");
  await scene.type(PUBLISHED);
  scene.check(
    /^[0-9a-f-]{29}$/.test(fingerprint),
    `it published its public keys; its own log shows their fingerprint, ${fingerprint}`,
  );
  return fingerprint;
}

async function addCluster(scene: Scene, fingerprint: string): Promise<void> {
  scene.narrator.chapter("The cluster joins the policy");
  scene.narrator.say(
    "Whoever writes to the API could have put other keys there, so Alice gives the fingerprint from the keyring's log. The cluster is named in the workspace, the environment's key is wrapped to it, and both are signed again.",
  );
  await scene.type(`zopp cluster add eu-1 --fingerprint ${fingerprint}`);
  await scene.type("git diff --stat");
  await scene.type('git commit -q -a -m "The cluster eu-1 serves shop/production"', { lines: 0 });
}

async function setValues(scene: Scene): Promise<void> {
  scene.narrator.chapter("A bundle of secrets");
  scene.narrator.say(
    "Values come from a prompt, stdin or a file, never from the command line. Each is sealed (X-Wing: X25519 and ML-KEM-768) and signed on its own, which needs no cluster and no right to read.",
  );
  await scene.type("printf s3cret-one | zopp set shop-prod/api DB_PASSWORD");
  await scene.type("printf 'DB_USER=shop\\nSMTP_TOKEN=tok-123\\n' | zopp set shop-prod/api --dotenv -");
  await scene.type("zopp verify");
  await scene.type(`git add . && git commit -q -m "Secrets of the api" && tail -n 15 ${MANIFEST}`, { lines: 15 });
  const found = await scene.stage.shell("git grep -l -e s3cret-one -e tok-123");
  scene.check(found.code === 1, "no value can be read in the repository: it may be public");
}

async function deliver(scene: Scene): Promise<void> {
  const { narrator, stage } = scene;
  narrator.chapter("From git to a live Secret");
  narrator.say("The manifests are applied as they are, by kubectl, Argo CD or Flux. Namespaces are made first.");
  await scene.type("kubectl create namespace shop-prod && kubectl create namespace shop-canary");
  await scene.type(APPLY);
  await scene.probe(stage.ports.keyringHealth, "/readyz", "200 ok");
  narrator.check("the policy chains from the pin: the keyring is ready");
  narrator.say("");
  narrator.say(
    "The operator holds no keys: it asks the keyring, which checks every signature and right, records, and answers.",
  );
  narrator.command(await stage.startOperator());
  await scene.settled("Synced");
  await scene.type("kubectl get zs -A -o wide");
  await scene.type("kubectl get secret api -n shop-prod -o jsonpath='{.data.DB_PASSWORD}' | base64 -d");
  const values = (await scene.secret())?.values;
  const wanted = { DB_PASSWORD: "s3cret-one", DB_USER: "shop", SMTP_TOKEN: "tok-123" };
  scene.check(isDeepStrictEqual(values, wanted), "the Secret shop-prod/api is there, with the three values");
}

async function changeValue(scene: Scene): Promise<void> {
  scene.narrator.chapter("One value changes");
  scene.narrator.say("Only the entry that changed is sealed again, so reviews are short and branches merge.");
  const before = readFileSync(scene.stage.path(ALICE, MANIFEST), "utf8");
  await scene.type("printf s3cret-two | zopp set shop-prod/api DB_PASSWORD");
  await scene.type("git commit -q -a -m 'Rotate DB_PASSWORD' && git diff -U1 HEAD~1 | tail -n +5");
  const after = readFileSync(scene.stage.path(ALICE, MANIFEST), "utf8");
  const { text } = await scene.stage.shell("git diff --numstat HEAD~1");
  const changed = changedKeys(before, after);
  scene.check(
    text.trim().split(/\s+/).join(" ") === `3 3 ${MANIFEST}` && isDeepStrictEqual(changed, ["DB_PASSWORD"]),
    "the diff is one entry: its version, its sealed value, its signature",
  );
  await scene.type(APPLY);
  await scene.becomes("the Secret follows: DB_PASSWORD is s3cret-two, the others are as they were", async () =>
    isDeepStrictEqual((await scene.secret())?.values, {
      DB_PASSWORD: "s3cret-two",
      DB_USER: "shop",
      SMTP_TOKEN: "tok-123",
    }),
  );
  await scene.settled("Synced");
}

/** The keys of entries that differ between two texts of the manifest. */
function changedKeys(before: string, after: string): readonly string[] {
  const entriesOf = (text: string) =>
    new Map(
      text
        .split(/\n(?= {4}[A-Z])/)
        .slice(1)
        .map((part) => [part.trim().split(":")[0] ?? "", part]),
    );
  const old = entriesOf(before);
  return [...entriesOf(after)].filter(([key, entry]) => old.get(key)?.trim() !== entry.trim()).map(([key]) => key);
}
