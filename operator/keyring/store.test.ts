// The keyring's memory on a real API server: what survives, and every way in which somebody may have touched it.
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { acme } from "../../hack/fixtures.js";
import { connect } from "../kube/client.js";
import { type KubeObject, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../kube/resources.js";
import { accepted, accepting, codeOf, inNamespaces, Memory, opened, START } from "./memory.case.js";
import { makeSegment, NO_SEGMENT } from "./segment.js";

type Attack = (bench: Memory, segments: readonly (ZoppAuditSegment & KubeObject)[]) => Promise<unknown>;

const BROKEN: Record<string, Attack> = {
  "its first segment is deleted": (bench, [first]) => bench.delete(ZOPP_AUDIT_SEGMENTS, first as KubeObject),
  "one in the middle is deleted": (bench, [, second]) => bench.delete(ZOPP_AUDIT_SEGMENTS, second as KubeObject),
  "records are swapped for those of another segment": (bench, [first, second, third]) =>
    bench.swap(ZOPP_AUDIT_SEGMENTS, second as KubeObject, { ...second?.spec, records: (third ?? first)?.spec.records }),
  "a count is changed": (bench, [, second]) =>
    bench.swap(ZOPP_AUDIT_SEGMENTS, second as KubeObject, { ...second?.spec, count: 2 }),
  "another key signed one": (bench, [, second]) => {
    const { log = "", first = 0, previous = "" } = second?.spec ?? {};
    const forged = makeSegment(bench.namespace, { log, first, previous }, ['{"index":1}'], newSigningKey());
    return bench.swap(ZOPP_AUDIT_SEGMENTS, second as KubeObject, forged.segment.spec);
  },
  "our own key signed one that does not follow": (bench, [, second]) => {
    const { log = "", first = 0 } = second?.spec ?? {};
    const forged = makeSegment(bench.namespace, { log, first, previous: "1".repeat(64) }, ['{"index":1}'], bench.key);
    return bench.swap(ZOPP_AUDIT_SEGMENTS, second as KubeObject, forged.segment.spec);
  },
};

t.test("on a real API server", async (t) => {
  const controlPlane = await startControlPlane();
  t.teardown(() => controlPlane.stop());
  await controlPlane.applyCrds();
  const client = await connect({ file: controlPlane.kubeconfig });
  t.teardown(() => client.close());
  const bench = inNamespaces(client, (namespace) => new Memory(client, namespace));

  await t.test("nothing there: a new log; afterwards the same log, and what was accepted", async (t) => {
    const one = await bench();
    const fresh = await one.load();
    t.match(fresh, { fresh: true, end: { log: `20261123101112-${one.namespace}`, size: 0, previous: NO_SEGMENT } });
    await one.write(fresh, START, opened("api", 1), opened("web", 1), opened("api", 2));
    const again = await one.load();
    t.match(again, { fresh: false, end: { log: fresh.end.log, size: 4 }, folded: 0 });
    t.same(again.ledger.place("shop-prod/api")?.entries.get("A"), accepted(2));
    t.same([...again.ledger.stored()], [...fresh.ledger.stored()]);
    await one.write(again, opened("web", 3));
    t.equal((await one.load()).end.size, 5, "the chain goes on over restarts");
  });

  await t.test("snapshots and the records after them give what all records give", async (t) => {
    const one = await bench();
    const memory = await one.load();
    const log = await one.write(memory, START, ...Array.from({ length: 8 }, (_, at) => opened(`b-${at}`, 1)));
    await one.store.fold(memory.ledger, log.end);
    const folded = log.end.size;
    await log.append([opened("b-1", 2)]);
    await log.append([opened("new", 1)]);
    const again = await one.load();
    t.same([...again.ledger.stored()].sort(), [...memory.ledger.stored()].sort());
    t.equal(again.folded, folded);
    await one.store.fold(again.ledger, again.end);
    t.equal((await one.load()).folded, again.end.size, "a later snapshot takes the place of the first");
  });

  await t.test("an accepted policy is kept whole, and keeping it twice is fine", async (t) => {
    const one = await bench();
    const memory = await one.load();
    const log = await one.write(memory, START);
    for (let time = 0; time < 2; time += 1) await one.store.keepPolicy(log.end, "d".repeat(64), acme());
    t.same((await one.load()).policies.get("d".repeat(64)), JSON.parse(JSON.stringify(acme())));
  });

  await t.test("a policy that lies under the name of another is not taken for it", async (t) => {
    const one = await bench();
    const memory = await one.load();
    const log = await one.write(memory, START);
    const [former, newest] = ["d".repeat(64), "e".repeat(64)];
    for (const digest of [former, newest]) await one.store.keepPolicy(log.end, digest, acme());
    await log.append([accepting(newest)]);
    const parts = await one.parts();
    const named = (digest: string) => parts.find(({ spec }) => spec.name === digest) as KubeObject & { spec: object };
    await one.swap(ZOPP_LEDGERS, named(newest), named(former).spec);
    t.equal(await codeOf(one.load()), "LogBroken", "at a start");
    t.equal(await codeOf(one.store.keepPolicy(log.end, newest, acme())), "LogBroken", "nor when it is accepted again");
  });

  for (const [what, attack] of Object.entries(BROKEN)) {
    await t.test(`the log is broken when ${what}`, async (t) => {
      const one = await bench();
      await one.write(await one.load(), START, opened("api", 1), opened("api", 2));
      t.equal(await codeOf(one.load()), "ok");
      await attack(one, await one.segments());
      t.equal(await codeOf(one.load()), "LogBroken");
    });
  }

  await t.test("an end that is cut off shows against a snapshot", async (t) => {
    const one = await bench();
    const memory = await one.load();
    const log = await one.write(memory, START, opened("api", 1), opened("api", 2));
    await one.store.fold(memory.ledger, log.end);
    await one.delete(ZOPP_AUDIT_SEGMENTS, (await one.segments()).at(-1) as KubeObject);
    t.equal(await codeOf(one.load()), "LogBroken");
  });

  await t.test("a snapshot that was changed is not believed", async (t) => {
    const one = await bench();
    const memory = await one.load();
    const log = await one.write(memory, START, opened("api", 1));
    await one.store.fold(memory.ledger, log.end);
    const [part] = await one.parts();
    await one.swap(ZOPP_LEDGERS, part as KubeObject, { ...part?.spec, through: 1 });
    t.equal(await codeOf(one.load()), "LogBroken");
  });

  await t.test("an old snapshot put back changes nothing: the records are all there", async (t) => {
    const one = await bench();
    const memory = await one.load();
    const log = await one.write(memory, START, opened("api", 1));
    await one.store.fold(memory.ledger, log.end);
    const [old] = await one.parts();
    await log.append([opened("api", 7)]);
    await one.store.fold(memory.ledger, log.end);
    await one.swap(ZOPP_LEDGERS, old as KubeObject, old?.spec ?? {});
    t.same((await one.load()).ledger.place("shop-prod/api")?.entries.get("A"), accepted(7));
  });

  await t.test("another keyring's log in the same namespace is not ours, and no reason to stop", async (t) => {
    const one = await bench();
    await one.write(await one.load(), START, opened("api", 1));
    const other = new Memory(client, one.namespace);
    t.match(await other.load(), { fresh: true }, "the other one has none yet");
    await other.write(await other.store.load(() => "20261123101113-other"), START);
    t.match(await one.load(), { fresh: false, end: { size: 2 } });
    t.match(await other.load(), { fresh: false, end: { log: "20261123101113-other", size: 1 } });
  });

  await t.test("two keyrings with one seed: whoever writes second hears that the log is not its own", async (t) => {
    const one = await bench();
    const [first, second] = [await one.load(), await one.load()];
    const log = await one.write(first, START);
    t.equal(await codeOf(one.write(second, opened("api", 1))), "LogForked");
    await log.append([opened("web", 1)]);
    t.equal((await one.load()).end.size, 2);
  });

  await t.test("all segments deleted: a new log, which policy does not name", async (t) => {
    const one = await bench();
    const before = await one.load();
    await one.write(before, START, opened("api", 1));
    for (const segment of await one.segments()) await one.delete(ZOPP_AUDIT_SEGMENTS, segment);
    const after = await one.store.load(() => "20261124000000-new");
    t.match(after, { fresh: true, end: { log: "20261124000000-new", size: 0 } });
    t.same([...after.ledger.stored()], []);
  });
});
