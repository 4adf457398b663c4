// Two keyrings with one seed, as real processes on a real API server: one log, one ledger, whichever of them is asked.
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { amendWorkspace, workspaceContent } from "../../crds/policy/edit.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import type { KeyringClient } from "../../operator/keyring/client.types.js";
import type { AuditRecord } from "../../operator/keyring/records.js";
import { silentLog } from "../../operator/kube/observe.js";
import { ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../../operator/kube/resources.js";
import type { Child } from "../child.js";
import { eventually } from "../eventually.js";
import { identityOf } from "../fixtures.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { type KeyringPorts, signing } from "../testbed.policy.js";
import { fivePorts } from "../testbed.ports.js";
import { readLog } from "./log.js";

const SYSTEM = "zopp-system";
const STARTS = 4;
const EACH = 60;
const KILLS = 8;
const FIRST_SYNC = 120;
const LONGEST_WAIT_MS = 700;

/** A second keyring on the testbed's seed. */
class Replica {
  readonly #bed: Testbed;
  readonly ports: KeyringPorts;
  #child: Child | undefined;

  constructor(bed: Testbed, ports: KeyringPorts) {
    this.#bed = bed;
    this.ports = ports;
  }

  get child(): Child {
    if (this.#child === undefined) throw new TypeError("not started");
    return this.#child;
  }

  async start(): Promise<void> {
    this.#child = this.#bed.keyringAt(this.ports);
    await this.child.healthy(this.ports.keyringHealth, "/startz");
  }
}

/** A caller of a keyring: as the operator, or as a person's device. */
function callerOf(t: Test, bed: Testbed, { keyring }: KeyringPorts, person?: string): KeyringClient {
  const client = connectKeyring({
    address: `127.0.0.1:${keyring}`,
    keyringKey: bed.keyringKey,
    identity: person === undefined ? newSigningKey() : identityOf(person).signing,
    token: person === undefined ? () => bed.token() : undefined,
    log: silentLog,
    timeoutMs: 30_000,
  });
  t.teardown(() => client.close());
  return client;
}

const open = (client: KeyringClient, { metadata: { namespace, name }, spec }: ZoppSecret) =>
  client.open({ namespace, name, spec });

/** How often each digest was released, by the records of the whole log, which are one chain. */
async function releases(t: Test, bed: Testbed): Promise<ReadonlyMap<string, number>> {
  const records = await readLog(bed);
  t.strictSame(
    records.map(({ index }) => index),
    [...records.keys()],
    "every record is at its index",
  );
  const counts = new Map<string, number>();
  for (const { action, decision, digest = "" } of records)
    if (action === "open" && decision === "released") counts.set(digest, (counts.get(digest) ?? 0) + 1);
  return counts;
}

t.test("two keyrings on one seed", async (t) => {
  const bed = await startTestbed({ ready: false, env: { ZOPP_KEYRING_AUDIT_KEEP: "0" } });
  t.teardown(() => bed.stop());
  const other = new Replica(bed, await fivePorts());
  t.teardown(() => other.child.stop());

  await t.test("that start at the same time on an empty cluster have one log, and publish it", async (t) => {
    await bed.keyring.stop();
    for (let start = 0; start < STARTS; start += 1) {
      for (const resource of [ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS]) {
        const { items } = await bed.client.list(resource, { namespace: SYSTEM, metadataOnly: true });
        for (const { metadata } of items) await bed.client.delete(resource, { namespace: SYSTEM, name: metadata.name });
      }
      await Promise.all([bed.startKeyring(), other.start()]);
      const records = await readLog(bed);
      t.equal(records[0]?.log, bed.cluster.log, "the one that is published is the one that goes on");
      const starts = records.filter(({ action }) => action === "start");
      t.same(
        starts.map(({ log }) => log),
        [bed.cluster.log, bed.cluster.log],
        "both have recorded their start in it",
      );
      if (start < STARTS - 1) await Promise.all([bed.keyring.stop("SIGKILL"), other.child.stop("SIGKILL")]);
    }
    await bed.applyPolicy();
    await Promise.all([bed.keyring.healthy(bed.ports.keyringHealth), other.child.healthy(other.ports.keyringHealth)]);
  });

  const [one, two] = [callerOf(t, bed, bed.ports), callerOf(t, bed, other.ports)];
  const isKnownTo = (client: KeyringClient) =>
    eventually(async () => (await client.describe()).environments[0]?.accepted !== undefined);
  await Promise.all([isKnownTo(one), isKnownTo(two)]);

  await t.test("policy is accepted once, and by both", async (t) => {
    const accepted = (await readLog(bed)).filter(({ decision }) => decision === "accepted");
    t.same(accepted.map(({ action }) => action).sort(), ["accept-environment", "accept-workspace"]);
    const unrecorded = (await readLog(bed)).filter(({ reason }) => reason === "AuditUnavailable");
    t.same(unrecorded, [], "who came second has refused nothing");
  });

  await t.test("used in turns they release what either has accepted, and nothing older", async (t) => {
    const old = bed.seal({ A: "old" }, { name: "turns" });
    const newer = bed.seal({ A: "new" }, { name: "turns", now: new Date(Date.now() + 60_000) });
    t.equal((await open(two, bed.seal({ A: "x" }, { name: "before" }))).ok, true);
    t.equal((await open(one, newer)).ok, true);
    t.match(await open(two, old), { ok: false, error: { code: "RollbackRefused" } }, "by the one that was behind");
    t.equal((await open(two, newer)).ok, true);
    const last = bed.seal({ A: "last" }, { name: "turns", now: new Date(Date.now() + 120_000) });
    t.equal((await open(two, last)).ok, true);
    for (const replayed of [newer, old])
      t.match(await open(one, replayed), { ok: false, error: { code: "RollbackRefused" } }, "and the other way round");
  });

  await t.test("an old bundle among many others is refused too, and they are released", async (t) => {
    const old = bed.seal({ A: "old" }, { name: "among" });
    const now = new Date(Date.now() + 60_000);
    t.equal((await open(one, bed.seal({ A: "new" }, { name: "among", now }))).ok, true);
    const others = Array.from({ length: 20 }, (_, at) => bed.seal({ A: "x" }, { name: `others-${at}` }));
    const [replayed, ...opened] = await Promise.all([old, ...others].map((secret) => open(two, secret)));
    t.match(replayed, { ok: false, error: { code: "RollbackRefused" } });
    t.ok(opened.every(({ ok }) => ok));
  });

  await t.test("a policy that is offered to one of them is in force at the other", async (t) => {
    const content = workspaceContent(bed.workspace);
    const newer = amendWorkspace(bed.workspace, { ...content, grants: [] }, signing());
    const alice = callerOf(t, bed, bed.ports, "alice");
    t.equal((await alice.offer(newer)).version, newer.spec.version);
    t.match(
      await open(two, bed.seal({ A: "x" }, { name: "ungranted" })),
      { ok: false, error: { code: "NotAuthorised" } },
      "the writer has no grant any more, which the other one has not heard of but from the log",
    );
    await bed.amendPolicy({ workspace: amendWorkspace(newer, content, signing()) });
    await eventually(async () => (await open(two, bed.seal({ A: "x" }, { name: "granted" }))).ok);
  });

  await t.test("used at once by many, no record is lost and none is there twice", async (t) => {
    const secrets = Array.from({ length: 2 * EACH }, (_, at) => bed.seal({ A: "x" }, { name: `at-once-${at}` }));
    const released: string[] = [];
    const work = async (client: KeyringClient, own: readonly ZoppSecret[]) => {
      for (const secret of own) {
        const opened = await open(client, secret);
        t.equal(opened.ok, true) || t.fail();
        if (opened.ok) released.push(opened.digest);
      }
    };
    await Promise.all([
      work(one, secrets.slice(0, EACH / 2)),
      work(two, secrets.slice(EACH / 2, EACH)),
      work(callerOf(t, bed, bed.ports), secrets.slice(EACH, 1.5 * EACH)),
      work(callerOf(t, bed, other.ports), secrets.slice(1.5 * EACH)),
    ]);
    t.equal(released.length, 2 * EACH);
    const counts = await releases(t, bed);
    t.same(
      released.filter((digest) => counts.get(digest) !== 1),
      [],
    );
  });

  await t.test(
    "while one is killed again and again during a first sync, the other serves, and all is on record",
    async (t) => {
      const names = Array.from({ length: FIRST_SYNC }, (_, at) => `synced-${at}`);
      await Promise.all(names.map((name) => bed.applyBundle(bed.seal({ A: name }, { name }))));
      await bed.startOperator();
      const released: string[] = [];
      let isDone = false;
      const serve = async () => {
        for (let at = 0; !isDone; at += 1) {
          const opened = await open(two, bed.seal({ A: "x" }, { name: `served-${at % 40}` })).catch(() => null);
          if (opened?.ok === true) released.push(opened.digest);
        }
      };
      const serving = serve();
      try {
        for (let kill = 0; kill < KILLS; kill += 1) {
          await sleep(randomInt(LONGEST_WAIT_MS));
          await bed.keyring.stop("SIGKILL");
          const before = released.length;
          await eventually(() => released.length > before, { message: "the other one goes on" });
          await bed.startKeyring();
        }
        for (const name of names) await bed.settled("Synced", name, "shop-prod", 60_000);
      } finally {
        isDone = true;
        await serving;
      }
      const counts = await releases(t, bed);
      t.same(
        released.filter((digest) => !counts.has(digest)),
        [],
        `each of ${released.length} releases of the other one is recorded`,
      );
      for (const name of names) {
        t.same((await bed.secret(name)).data, { A: name });
        t.ok(counts.has((await bed.bundle(name)).status?.digest ?? ""), `${name} is recorded`);
      }
    },
  );

  await t.test("what is there in the end opens for a third, and both end well", async (t) => {
    await bed.operator.stop();
    t.same([await bed.keyring.stop(), await other.child.stop()], [0, 0]);
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
    const starts = (await readLog(bed)).filter(({ action }: AuditRecord) => action === "start");
    t.equal(starts.length, 2 + KILLS + 1);
  });
});
