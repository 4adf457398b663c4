import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import t from "tap";
import { identityFromSeed } from "../../crds/crypto/identity.js";
import type { ZoppAuditSegment, ZoppLedger, ZoppSecret } from "../../crds/types.gen.js";
import {
  CONFIG_MAPS,
  EVENTS,
  type KubeObject,
  type Resource,
  SECRETS,
  ZOPP_AUDIT_SEGMENTS,
  ZOPP_ENVIRONMENTS,
  ZOPP_LEDGERS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "../../operator/kube/resources.js";
import { release } from "../bundle-story.js";
import { sightings } from "../canary.js";
import type { Child } from "../child.js";
import { must } from "../control-plane/kubectl.js";
import { eventually } from "../eventually.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { environmentKey, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf, readText } from "../testbed.look.js";

/** Text with everything that one escaping or another changes, and bytes that are no text. */
const PASSWORD = `"pass" \\ word\n<b>&ünïcode ${randomBytes(16).toString("hex")}`;
const KEYFILE = randomBytes(64);
const VALUES = { PASSWORD, KEYFILE };

const temporary = mkdtempSync(join(tmpdir(), "zopp-canary-"));
t.teardown(() => rmSync(temporary, { recursive: true }));
mkdirSync(join(temporary, "tmp"));
const bed = await startTestbed({
  env: { TMPDIR: join(temporary, "tmp"), ZOPP_OPERATOR_LOG_LEVEL: "debug", ZOPP_KEYRING_LOG_LEVEL: "debug" },
});
t.teardown(() => bed.stop());

const kubectl = kubectlOf(bed);
/** Every process that ran, the killed ones too. */
const processes: Child[] = [bed.keyring, bed.operator];
const applied = new Map<string, ZoppSecret>();
async function put(secret: ZoppSecret, reason: string): Promise<void> {
  applied.set(secret.metadata.name, secret);
  await bed.applyBundle(secret);
  await bed.settled(reason, secret.metadata.name, "shop-prod", 60_000);
}

/** What the processes say of themselves while they run. */
const said: Record<string, string> = {};
async function listen(when: string): Promise<void> {
  const { metrics, keyringMetrics, health, keyringHealth } = bed.ports;
  for (const [name, port, path] of [
    ["operator", metrics, "/metrics"],
    ["keyring", keyringMetrics, "/metrics"],
    ["operator", health, "/readyz"],
    ["keyring", keyringHealth, "/readyz"],
  ] as const)
    said[`${path} of ${name} ${when}`] = await readText(port, path);
}

/** A rule of the cluster whose refusals quote the Secret: what an API server answers may hold values. */
const QUOTING = ["refuses-and-quotes"].flatMap((name) => [
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["secrets"] },
        ],
      },
      validations: [
        {
          expression: "object.metadata.name != 'quoted'",
          messageExpression: "'it would hold ' + string(object.data['PASSWORD'])",
        },
      ],
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"] },
  },
]);

t.test("bundles with canaries are applied, refused and fail in every way", async (t) => {
  await t.test("they become Secrets, also rendered", async () => {
    await put(bed.seal(VALUES), "Synced");
    await put(bed.seal(VALUES, { name: "rendered", render: { URL: "db://[[ PASSWORD | urlencode ]]@db" } }), "Synced");
  });
  await t.test("a flipped byte, and a stranger's signature", async () => {
    const sealed = bed.seal(VALUES, { name: "flipped" });
    await put(
      withEntry(sealed, "PASSWORD", { sealed: flip(sealed.spec.data?.["PASSWORD"]?.sealed ?? "") }),
      "SignatureInvalid",
    );
    await put(bed.seal(VALUES, { name: "strange", by: "stranger" }), "UnknownSigner");
  });
  await t.test("a Secret that is not ours, and a shape that does not fit", async () => {
    await kubectl("create", "secret", "generic", "foreign", "--from-literal=A=theirs");
    await put(bed.seal(VALUES, { name: "foreign" }), "TargetConflict");
    const target = { type: "kubernetes.io/tls" };
    await put(bed.seal({ "tls.crt": PASSWORD, "tls.key": KEYFILE }, { name: "shapeless", target }), "TargetShape");
  });
  await t.test("an API server that refuses, and quotes the value", async (t) => {
    const fixed = bed.seal(VALUES, { name: "fixed", target: { immutable: true } });
    await put(fixed, "Synced");
    await put(withValue(fixed, "PASSWORD", `${PASSWORD} changed`, bed.writing()), "TargetImmutable");
    for (const object of QUOTING)
      await must(bed.controlPlane.kubectl(["apply", "--filename", "-"], { input: JSON.stringify(object) }));
    const args = ["--namespace", "shop-prod", "create", "secret", "generic", "quoted", "--dry-run=server"];
    const quoted = await eventually(
      async () => {
        const { code, stderr } = await bed.controlPlane.kubectl([...args, `--from-literal=PASSWORD=${PASSWORD}`]);
        return code === 0 ? undefined : stderr;
      },
      { timeoutMs: 30_000, message: "the cluster refuses the Secret" },
    );
    t.not(sightings({ PASSWORD: Buffer.from(PASSWORD) }, { quoted }).length, 0, "the refusal does quote it");
    await put(bed.seal(VALUES, { name: "quoted" }), "ApiInvalid");
  });
  await t.test("an API server and a keyring that go away, and come back", async () => {
    await listen("before");
    await bed.controlPlane.stopApiServer();
    await bed.controlPlane.startApiServer();
    await bed.keyring.stop("SIGKILL");
    const changed = withValue(bed.seal(VALUES, { name: "waits" }), "PASSWORD", PASSWORD, bed.writing());
    await put(changed, "KeyringUnavailable");
    await bed.startKeyring();
    processes.push(bed.keyring);
    await bed.settled("Synced", "waits", "shop-prod", 60_000);
  });
  await listen("after");
  await bed.operator.stop();
  await bed.keyring.stop();
});

/** The values, and every key that this test can know. */
function canaries(): Record<string, Uint8Array> {
  const seed = Buffer.from(readFileSync(bed.seedFile, "utf8").trim(), "base64");
  const found: Record<string, Uint8Array> = {
    PASSWORD: Buffer.from(PASSWORD),
    KEYFILE,
    "the keyring's seed": seed,
    "the keyring's signing key": identityFromSeed(seed).signing.toPkcs8().subarray(-32),
    "the environment's private key": environmentKey.xwing.privateKey,
    // the rest of a token says whose it is, and is no secret
    "the operator's token": Buffer.from(readFileSync(join(bed.folder, "token"), "utf8").split(".")[2] ?? ""),
    "the API server's token": Buffer.from(bed.controlPlane.token),
  };
  for (const { metadata, spec } of applied.values()) {
    const keys: Uint8Array[] = [];
    release({ namespace: "shop-prod", name: metadata.name, spec }, keys);
    for (const [at, key] of keys.entries()) found[`entry key ${at} of ${metadata.name}`] = key;
  }
  return found;
}

async function listed(resource: Resource): Promise<readonly KubeObject[]> {
  return (await bed.client.list(resource)).items;
}

/** Everything that left the processes: what they said, and what they wrote into the API and to the disk. */
async function places(): Promise<Record<string, string | Uint8Array>> {
  const found: Record<string, string | Uint8Array> = { ...said };
  for (const [at, { name, lines }] of processes.entries()) found[`output of ${name} ${at}`] = lines.join("\n");
  for (const resource of [EVENTS, CONFIG_MAPS, ZOPP_WORKSPACES, ZOPP_ENVIRONMENTS, ZOPP_SECRETS])
    found[resource.plural] = JSON.stringify(await listed(resource));
  for (const [resource, packed] of [
    [ZOPP_AUDIT_SEGMENTS, (object: unknown) => (object as ZoppAuditSegment).spec.records],
    [ZOPP_LEDGERS, (object: unknown) => (object as ZoppLedger).spec.content],
  ] as const) {
    const objects = await listed(resource);
    found[resource.plural] = JSON.stringify(objects);
    found[`unpacked ${resource.plural}`] = Buffer.concat(
      objects.map((object) => gunzipSync(Buffer.from(packed(object), "base64"))),
    );
  }
  for (const name of readdirSync(join(temporary, "tmp"), { recursive: true, encoding: "utf8" })) {
    const path = join(temporary, "tmp", name);
    if (statSync(path).isFile()) found[`temporary file ${name}`] = readFileSync(path);
  }
  return found;
}

t.test("no value and no key is in anything that left the processes", async (t) => {
  const found = await places();
  for (const [place, content] of Object.entries(found)) t.not(content.length, 0, `${place} is there to be searched`);
  const unpacked = String(found["unpacked zoppauditsegments"]);
  for (const word of ["released", "SignatureInvalid", "UnknownSigner"]) t.match(unpacked, word, "the log tells it");
  t.match(found["zoppsecrets"], "ApiInvalid");
  t.match(found["events"], "TargetConflict");
  t.match(found["configmaps"], "zopp-cluster");
  t.strictSame(sightings(canaries(), found), []);
});

t.test("the same search finds them where they are", async (t) => {
  const secrets = JSON.stringify(await listed(SECRETS));
  const seed = readFileSync(bed.seedFile);
  const seen = sightings(canaries(), { secrets, seed });
  t.match(seen, [/^PASSWORD in base64 in secrets$/, /^KEYFILE in base64 in secrets$/]);
  t.ok(seen.includes("the keyring's seed in base64 in seed"));
});
