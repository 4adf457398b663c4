// The paths of docs/migrating.md, command by command, on a real API server with a real keyring and operator.
// What is real of the other tools: sealed-secrets and SOPS whole; of the External Secrets Operator what it leaves on a Secret.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateIdentity, identityToRecipient } from "age-encryption";
import t, { type Test } from "tap";
import { eventually } from "../eventually.js";
import { type GoPrograms, goPrograms } from "../go-programs.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf } from "../testbed.look.js";
import { Migration } from "./migration.js";
import { lacking, noMountsOfOwn, SEALED_SECRETS, SOPS } from "./programs.js";
import { resourceType } from "./resource-type.js";
import { startSealedSecrets } from "./sealed-secrets.js";

/** The garbage collector learns of new resource types every 30 s only. */
const COLLECTOR_MS = 90_000;

const bed = await startTestbed();
t.teardown(() => bed.stop());

const folderOf = (wanted: GoPrograms) =>
  goPrograms(wanted, { env: process.env, log: (line: string) => console.error(line) });
const wanted = [SEALED_SECRETS, SOPS].filter((programs) => lacking(programs) === false);
const folders: string[] = [];
for (const programs of wanted) folders.push(await folderOf(programs));

const ageKey = await generateIdentity();
const ageFile = join(bed.folder, "age.txt");
writeFileSync(ageFile, `${ageKey}\n`, { mode: 0o600 });
const migration = new Migration(bed, folders, { SOPS_AGE_KEY_FILE: ageFile });
await migration.run("git init -q -b main");

const kubectl = kubectlOf(bed);
const secretManifest = (name: string, stringData: Readonly<Record<string, string>>): string =>
  JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "shop-prod" }, stringData });

/** What must stay of a Secret on its way, whatever happens to its owner. */
async function trackOf(name: string) {
  const before = await bed.secret(name);
  return {
    /** The same object with the same values. */
    isSame: async (t: Test, moment: string) => {
      const { metadata, data } = await bed.secret(name);
      t.equal(metadata.uid, before.metadata.uid, `${moment}: it is the object that it was`);
      t.strictSame(data, before.data, `${moment}: its values are those that it had`);
    },
    ownersBecome: (kinds: readonly string[]) =>
      eventually(
        async () => {
          const owners = ((await bed.secret(name)).metadata.ownerReferences ?? []).map(({ kind }) => kind);
          if (JSON.stringify(owners) === JSON.stringify(kinds)) return true;
          throw new Error(`${name} is owned by ${owners.join(", ") || "nobody"}`);
        },
        { timeoutMs: COLLECTOR_MS, message: `${name} is owned by ${kinds.join(", ") || "nobody"}` },
      ),
  };
}

t.test("from sealed-secrets", { skip: lacking(SEALED_SECRETS) || noMountsOfOwn() }, async (t) => {
  const TITLE = "From sealed-secrets";
  const [programs = ""] = folders;
  const controller = await startSealedSecrets(bed.controlPlane, join(programs, "controller"));
  t.teardown(() => controller.stop());
  migration.write("plain.json", secretManifest("api", { DB_PASSWORD: "hunter2", DB_USER: "shop" }));
  await migration.run(`mkdir sealed && kubeseal --cert '${controller.certificate}' --format yaml < plain.json > sealed/api.yaml
    rm plain.json && kubectl apply -f sealed/api.yaml && git add . && git commit -q -m sealed`);
  await eventually(() => bed.secret("api"), { timeoutMs: 30_000 });
  const track = await trackOf("api");
  await track.ownersBecome(["SealedSecret"]);

  t.match(await migration.follow(TITLE, "Import"), "metadata.ownerReferences is left out (SealedSecret api)");
  await kubectl("apply", "--server-side", "-f", join(migration.checkout, "zopp/shop-prod/api.yaml"));
  await bed.settled("TargetConflict");
  await track.ownersBecome(["SealedSecret"]);
  await kubectl("delete", "zoppsecret", "api");

  await migration.follow(TITLE, "Take over");
  await track.isSame(t, "taken over");
  t.match(await migration.follow(TITLE, "Check"), /^ZoppSecret api$/m);

  await migration.follow(TITLE, "Roll back");
  await track.ownersBecome(["SealedSecret"]);
  await track.isSame(t, "rolled back");
  t.notOk((await bed.secret()).metadata.labels?.["zopp.dev/managed"], "no mark of zopp is left on it");

  await migration.follow(TITLE, "Take over");
  await track.isSame(t, "taken over again");
  await migration.follow(TITLE, "Remove the SealedSecret");
  await track.ownersBecome(["ZoppSecret"]);
  await bed.settled("Synced");
  await track.isSame(t, "at the end");
});

t.test("from SOPS", { skip: lacking(SOPS) }, async (t) => {
  const TITLE = "From SOPS";
  const recipient = await identityToRecipient(ageKey);
  migration.write("sealed/web.yaml", secretManifest("web", { TOKEN: "tok-1", PORT: "0080" }));
  migration.write("sealed/worker.env", 'QUEUE=amqp://u:p#1@mq/\nQUOTED="as it stands"\n');
  await migration.run(`
    sops --encrypt --age ${recipient} --encrypted-regex '^(data|stringData)$' --in-place sealed/web.yaml
    sops --encrypt --age ${recipient} --in-place sealed/worker.env && git add . && git commit -q -m sealed
    sops --decrypt sealed/web.yaml | kubectl apply --server-side -f -
    sops --decrypt sealed/worker.env > plain.env
    kubectl create secret generic worker -n shop-prod --from-env-file plain.env && rm plain.env`);
  const [web, worker] = [await trackOf("web"), await trackOf("worker")];
  const refused = await migration.run("zopp import sealed/web.yaml || true");
  t.match(refused, "is still sealed by SOPS");

  await migration.follow(TITLE, "Import");
  await migration.follow(TITLE, "Take over");
  await web.isSame(t, "web, taken over");
  await worker.isSame(t, "worker, taken over");
  t.match(await migration.follow(TITLE, "Check"), /^ZoppSecret ZoppSecret$/m);

  await migration.follow(TITLE, "Roll back");
  await web.ownersBecome([]);
  await web.isSame(t, "web, rolled back");
  const { labels, annotations } = (await bed.secret("web")).metadata;
  t.notMatch(JSON.stringify({ labels, annotations }), "zopp", "no mark of zopp is left on it");

  await migration.run("kubectl annotate secret web -n shop-prod zopp.dev/adopt=web");
  await migration.run("kubectl apply --server-side -f zopp/shop-prod/web.yaml");
  await migration.follow(TITLE, "Remove the sealed files");
  await bed.settled("Synced", "web");
  await web.ownersBecome(["ZoppSecret"]);
  await web.isSame(t, "web, at the end");
  await worker.isSame(t, "worker, at the end");
});

t.test("from the External Secrets Operator", async (t) => {
  const TITLE = "From the External Secrets Operator";
  const external = {
    apiVersion: "external-secrets.io/v1",
    kind: "ExternalSecret",
    metadata: { name: "mail", namespace: "shop-prod" },
    spec: { target: { creationPolicy: "Owner", deletionPolicy: "Delete" } },
  };
  migration.write("external/mail.yaml", JSON.stringify(external));
  migration.write("type.json", resourceType("external-secrets.io", "v1", "ExternalSecret"));
  await migration.run(`kubectl apply -f type.json && rm type.json
    kubectl wait --for condition=Established crd/externalsecrets.external-secrets.io
    kubectl apply -f external/mail.yaml`);
  const uid = await kubectl("get", "externalsecret", "mail", "-o", "jsonpath={.metadata.uid}");
  // as the operator (1.3.2) leaves a Secret: its owner, two labels and the hash that it notices changes by
  const made = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: "mail",
      namespace: "shop-prod",
      labels: { "reconcile.external-secrets.io/managed": "true", "reconcile.external-secrets.io/created-by": "8d0" },
      annotations: { "reconcile.external-secrets.io/data-hash": "f00" },
      ownerReferences: [
        {
          apiVersion: external.apiVersion,
          kind: external.kind,
          name: "mail",
          uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    stringData: { SMTP_PASSWORD: "s3cret" },
  };
  migration.write("made.json", JSON.stringify(made));
  await migration.run("kubectl create --field-manager external-secrets -f made.json && rm made.json");
  const track = await trackOf("mail");

  await migration.follow(TITLE, "Import");
  await migration.follow(TITLE, "Take over");
  await track.isSame(t, "taken over");
  t.match(await migration.follow(TITLE, "Check"), /^ZoppSecret mail$/m);
  const { labels, annotations } = (await bed.secret("mail")).metadata;
  t.notMatch(JSON.stringify({ labels, annotations }), "external-secrets", "no mark of its old operator is left on it");

  await migration.follow(TITLE, "Roll back");
  await track.ownersBecome([]);
  await track.isSame(t, "rolled back");
  await migration.follow(TITLE, "Take over");
  await bed.settled("Synced", "mail");
  await track.ownersBecome(["ZoppSecret"]);
  await track.isSame(t, "at the end");
});
