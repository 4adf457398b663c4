// The keyring as a process on a real API server: start, readiness, restarts, lost and broken logs, and its end.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import { clusterStatement, verifyStatement } from "../../crds/statement.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { Child } from "../../hack/child.js";
import { eventually } from "../../hack/eventually.js";
import { identityOf } from "../../hack/fixtures.js";
import { startTestbed, type Testbed } from "../../hack/testbed.js";
import { silentLog } from "../kube/observe.js";
import { CONFIG_MAPS, type KubeObject, NAMESPACES, ZOPP_AUDIT_SEGMENTS, ZOPP_SECRETS } from "../kube/resources.js";
import { connectKeyring } from "./client.js";
import type { KeyringClient } from "./client.types.js";
import { segmentName } from "./segment.js";
import { failureOf, sessionOver, tlsTo } from "./server.case.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
const SYSTEM = "zopp-system";

function run(...args: string[]): Child {
  return new Child({ name: "keyring", main: MAIN, args });
}

t.test("keygen never overwrites, and says what it refuses", async (t) => {
  const folder = t.testdir();
  const files = ["keygen", "--seed", join(folder, "seed"), "--public", join(folder, "keyring.pub")];
  t.equal(await run(...files).stopped(), 0);
  const seed = await readFile(join(folder, "seed"), "utf8");
  const again = run(...files);
  t.equal(await again.stopped(), 7);
  t.match(again.lines.join("\n"), /SeedExists/);
  t.equal(await readFile(join(folder, "seed"), "utf8"), seed);
  t.notMatch(again.lines.join("\n"), seed.trim());
});

const SERVE = ["serve", "--operator-account", "zopp-system/zopp", "--pod-uid", "u"];
const PIN = `acme@1:${"a".repeat(64)}`;

t.test("without its seed a keyring does not start", async (t) => {
  const child = run(...SERVE, "--seed", join(t.testdir(), "none"), "--trust", PIN);
  t.equal(await child.stopped(), 4);
  t.match(child.lines.join("\n"), /SeedMissing/);
});

/** A client of the testbed's keyring with a key of its own, enrolled as the operator when it has a token. */
function clientOf(t: Test, bed: Testbed, options: { token?: () => Promise<string>; as?: string } = {}): KeyringClient {
  const client = connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: options.as === undefined ? newSigningKey() : identityOf(options.as).signing,
    token: options.token,
    log: silentLog,
  });
  t.teardown(() => client.close());
  return client;
}

async function operatorToken(bed: Testbed): Promise<string> {
  const bound = ["--bound-object-kind", "Pod", "--bound-object-name", "zopp-0"];
  const args = ["create", "token", "zopp", "-n", SYSTEM, "--audience", "zopp-keyring", ...bound];
  return (await bed.controlPlane.kubectl(args)).stdout.trim();
}

async function segmentsOf(bed: Testbed): Promise<readonly ZoppAuditSegment[]> {
  return (await bed.client.list<ZoppAuditSegment>(ZOPP_AUDIT_SEGMENTS, { namespace: SYSTEM })).items;
}

/** The records that a keyring's standard output exported. */
function exported(child: Child): readonly Record<string, unknown>[] {
  const lines = child.lines.filter((line) => line.startsWith('{"audit":'));
  return lines.map((line) => (JSON.parse(line) as { audit: Record<string, unknown> }).audit);
}

async function restart(bed: Testbed): Promise<void> {
  t.equal(await bed.keyring.stop(), 0, "SIGTERM ends it with 0");
  await bed.startKeyring();
  await bed.keyring.healthy(bed.ports.keyringHealth);
}

t.test("on a real API server", async (t) => {
  const bed = await startTestbed({ ready: false });
  t.teardown(() => bed.stop());
  const operator = clientOf(t, bed, { token: () => operatorToken(bed) });
  const open = (secret: ReturnType<Testbed["seal"]>, client = operator) => {
    const { namespace, name } = secret.metadata;
    return client.open({ namespace, name, spec: secret.spec });
  };

  await t.test("without policy it is alive, not ready, and says why", async (t) => {
    const ready = () => fetch(`http://127.0.0.1:${bed.ports.keyringHealth}/readyz`);
    t.ok(await eventually(async () => (await (await ready()).text()) === "NoPolicy"));
    t.equal((await ready()).status, 503);
    const { signingKey, encryptionKey, log } = bed.cluster;
    t.match(await operator.describe(), {
      ready: false,
      reason: "NoPolicy",
      cluster: { signingKey, encryptionKey, log },
    });
  });

  await t.test("it publishes its keys, signed by itself", async (t) => {
    const place = { namespace: SYSTEM, name: "zopp-cluster" };
    const { data } = await bed.client.get<KubeObject & { data: Record<string, string> }>(CONFIG_MAPS, place);
    const { signingKey = "", encryptionKey = "", log = "", clusterUid = "", signature = "" } = data;
    const key = parseVerifyKey(signingKey);
    const statement = clusterStatement({ signingKey, encryptionKey, log, clusterUid });
    t.equal(signingKey, bed.keyringKey);
    t.ok(key !== null && verifyStatement(key, statement, signature));
    t.equal(clusterUid, (await bed.client.get<KubeObject>(NAMESPACES, { name: "kube-system" })).metadata.uid);
  });

  await t.test("policy makes it ready; a bundle's keys come only after their record is stored", async (t) => {
    await bed.applyPolicy();
    await bed.keyring.healthy(bed.ports.keyringHealth);
    t.ok(await eventually(async () => (await operator.describe()).environments[0]?.accepted !== undefined));
    t.equal((await open(bed.seal({ A: "x" }))).ok, true);
    const record = await eventually(() => exported(bed.keyring).find(({ action }) => action === "open"));
    t.match(record, {
      object: "shop-prod/api",
      decision: "released",
      keys: ["A"],
      environment: "acme/shop/production",
    });
    const stored = await segmentsOf(bed);
    t.equal(
      stored.reduce((sum, { spec }) => sum + spec.count, 0),
      exported(bed.keyring).length,
    );
    t.equal(stored[0]?.metadata.name, segmentName(bed.cluster.log, 0));
  });

  await t.test(
    "a person's device may ask how things stand, and reads for himself; a stranger does neither",
    async (t) => {
      const alice = clientOf(t, bed, { as: "alice" });
      t.equal((await alice.describe()).ready, true);
      const read = bed.seal({ A: "x" }, { name: "read" });
      t.equal((await open(read, alice)).ok, true);
      const record = await eventually(() => exported(bed.keyring).find(({ action }) => action === "read"));
      t.match(record, { actor: "alice/laptop", evidence: "proved", decision: "released", keys: ["A"] });
      const ci = clientOf(t, bed, { as: "ci" });
      t.match(await open(read, ci), { ok: false, error: { code: "NotAuthorised" } });
      const stranger = clientOf(t, bed);
      t.equal((await failureOf(stranger.describe())).code, "Unauthenticated");
      const forged = clientOf(t, bed, { token: async () => "e30.e30.x" });
      t.equal((await failureOf(forged.describe())).code, "EnrolmentRefused");
      const admin = clientOf(t, bed, { token: async () => bed.controlPlane.token });
      t.equal((await failureOf(admin.describe())).code, "EnrolmentRefused");
      const isRefused = ({ action, decision }: ReturnType<typeof exported>[number]) =>
        action === "enrol" && decision === "refused";
      const again = clientOf(t, bed, { token: async () => "e30.e30.x" });
      t.equal((await failureOf(again.describe())).code, "EnrolmentRefused");
      t.ok(await eventually(() => exported(bed.keyring).filter(isRefused).length > 0));
      t.ok(
        exported(bed.keyring).filter(isRefused).length <= 2,
        "a refusal of strangers is recorded once for each cause",
      );
    },
  );

  await t.test("a second key of the same pod takes the place of the first, and that is recorded", async (t) => {
    const second = clientOf(t, bed, { token: () => operatorToken(bed) });
    t.equal((await second.describe()).ready, true);
    const enrolments = exported(bed.keyring).filter(
      ({ action, decision }) => action === "enrol" && decision === "done",
    );
    t.ok(enrolments.length >= 2 && enrolments.every(({ pod }) => pod === "zopp-0"));
    t.equal((await operator.describe()).ready, true, "the first one enrols again when it is told to");
  });

  await t.test("a restart forgets enrolments and nothing else", async (t) => {
    const old = bed.seal({ A: "old" }, { name: "kept" });
    const { header, data } = bed.seal({ A: "new" }, { name: "kept", now: new Date(Date.now() + 60_000) }).spec;
    t.equal((await open({ ...old, spec: { ...old.spec, header, data: data ?? {} } })).ok, true);
    const size = (await segmentsOf(bed)).length;
    await restart(bed);
    const opened = await open(old);
    t.match(opened, { ok: false, error: { code: "RollbackRefused" } }, "the ledger is remembered");
    t.ok((await segmentsOf(bed)).length > size, "and the chain goes on");
  });

  await t.test("while segments cannot be stored nothing is released", async (t) => {
    const secret = bed.seal({ A: "x" }, { name: "outage" });
    await bed.controlPlane.stopApiServer();
    t.equal((await failureOf(open(secret))).code, "AuditUnavailable");
    t.equal(
      exported(bed.keyring).some(({ object }) => object === "shop-prod/outage"),
      false,
    );
    await bed.controlPlane.startApiServer();
    t.ok(await eventually(async () => (await open(secret)).ok, { timeoutMs: 30_000 }));
  });

  await t.test("one that starts while the API server is away waits for it, and can be ended", async (t) => {
    await bed.keyring.stop();
    await bed.controlPlane.stopApiServer();
    const waits = () => eventually(() => bed.keyring.lines.some((line) => line.includes("cannot read the log yet")));
    const ended = t.rejects(bed.startKeyring(), /keyring has ended/);
    await waits();
    t.equal((await fetch(`http://127.0.0.1:${bed.ports.keyringHealth}/startz`)).status, 503);
    t.equal(await bed.keyring.stop(), 0);
    await ended;
    const started = bed.startKeyring();
    await waits();
    await bed.controlPlane.startApiServer();
    await started;
    await bed.keyring.healthy(bed.ports.keyringHealth);
  });

  await t.test("deleting a bundle takes nothing from the ledger", async (t) => {
    const secret = bed.seal({ A: "x", B: "y" }, { name: "deleted" });
    await bed.applyBundle(secret);
    t.equal((await open(secret)).ok, true);
    await bed.client.delete(ZOPP_SECRETS, { namespace: "shop-prod", name: "deleted" });
    await restart(bed);
    const without = bed.seal({ B: "z" }, { name: "deleted", now: new Date(Date.now() + 60_000) });
    t.match(await open(without), { ok: false, error: { code: "EntryMissing" } });
  });

  await t.test("SIGTERM with an idle connection ends it with 0", async (t) => {
    const socket = await tlsTo(bed.ports.keyring, newSigningKey());
    sessionOver(t, socket);
    await once(socket, "secureConnect");
    t.equal(await bed.keyring.stop(), 0);
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
  });

  await t.test("asked to end, it is not ready but answers who is connected; asked again, it ends", async (t) => {
    const drains = { ZOPP_KEYRING_DRAIN_SECONDS: "600" };
    await bed.keyring.stop();
    await bed.startKeyring(drains);
    t.equal(await bed.keyring.stop(), 0, "at once where nobody is");
    await bed.startKeyring(drains);
    await bed.keyring.healthy(bed.ports.keyringHealth);
    const secret = bed.seal({ A: "x" }, { name: "late" });
    t.equal((await operator.describe()).ready, true);
    process.kill(bed.keyring.pid, "SIGTERM");
    const started = () => fetch(`http://127.0.0.1:${bed.ports.keyringHealth}/startz`);
    t.ok(await eventually(async () => (await (await started()).text()) === "Stopping"));
    t.equal((await open(secret)).ok, true, "on the connection that was there");
    t.equal((await clientOf(t, bed, { as: "alice" }).describe()).ready, true, "and on a new one");
    t.equal(await bed.keyring.stop(), 0);
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
  });

  await t.test("another keyring with the same seed: the one that finds a foreign segment ends", async (t) => {
    const [last] = (await segmentsOf(bed)).slice(-1);
    const next = (last?.spec.first ?? 0) + (last?.spec.count ?? 0);
    const spec = { ...last?.spec, first: next };
    const metadata = { name: segmentName(bed.cluster.log, next), namespace: SYSTEM };
    await bed.client.create(ZOPP_AUDIT_SEGMENTS, { metadata, spec } as never);
    t.equal((await failureOf(open(bed.seal({ A: "x" }, { name: "forked" })))).code.length > 0, true);
    t.equal(await bed.keyring.stopped(), 7);
    t.match(bed.keyring.lines.join("\n"), /LogForked/);
    await bed.client.delete(ZOPP_AUDIT_SEGMENTS, metadata);
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
  });

  await t.test("a log with a hole is not served from", async (t) => {
    await bed.keyring.stop();
    const [, second] = await segmentsOf(bed);
    const { name = "" } = second?.metadata ?? {};
    await bed.client.delete(ZOPP_AUDIT_SEGMENTS, { namespace: SYSTEM, name });
    await bed.startKeyring().catch(() => {});
    t.equal(await bed.keyring.stopped(), 7);
    t.match(bed.keyring.lines.join("\n"), /LogBroken/);
    const metadata = { name, namespace: SYSTEM };
    await bed.client.create(ZOPP_AUDIT_SEGMENTS, { metadata, spec: second?.spec } as never);
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
  });

  await t.test("a lost log is a new one, under which nothing new is accepted until policy names it", async (t) => {
    const { log } = bed.cluster;
    await bed.keyring.stop();
    for (const { metadata } of await segmentsOf(bed)) {
      await bed.client.delete(ZOPP_AUDIT_SEGMENTS, { namespace: SYSTEM, name: metadata.name });
    }
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
    t.not((await operator.describe()).cluster.log, log);
    t.match(await open(bed.seal({ A: "x" })), { ok: false, error: { code: "LedgerLost" } });
  });
});
