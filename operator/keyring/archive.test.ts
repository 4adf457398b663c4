// The archive on a real API server: segments are folded and dropped, and whenever a keyring dies at it, the log opens.
import t from "tap";
import { readCheckpoint } from "../../crds/audit/checkpoint.js";
import { leafHash, MerkleTree } from "../../crds/audit/merkle.js";
import { encodeHex } from "../../crds/crypto/encoding.js";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { type ApiClient, connect } from "../kube/client.js";
import { silentLog } from "../kube/observe.js";
import { type KubeObject, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../kube/resources.js";
import { Archive } from "./archive.js";
import { AuditLog } from "./log.js";
import { accepted, codeOf, inNamespaces, Memory, opened, START } from "./memory.case.js";
import { lineOf } from "./records.js";
import type { Remembered } from "./replay.js";
import { Store } from "./store.js";
import { Upkeep } from "./upkeep.js";

const KEEP = 16;
const FOLD_AT = 8;

/** A keyring at work in a namespace: its log, its archive and their upkeep, and every line that it stored. */
class Work {
  readonly memory: Memory;
  readonly lines: string[];
  #parts: {
    readonly audit: AuditLog;
    readonly archive: Archive;
    readonly upkeep: Upkeep;
    readonly known: Remembered;
  } | null = null;

  constructor(client: ApiClient, namespace: string, lines: string[] = [], keyed = new Memory(client, namespace)) {
    this.memory = keyed;
    this.lines = lines;
  }

  get parts() {
    if (this.#parts === null) throw new TypeError("not begun");
    return this.#parts;
  }

  /** Starts on what is there, speaking to the API by `client`. */
  async begin(client = this.memory.client, keep = KEEP): Promise<Remembered> {
    const { namespace, key } = this.memory;
    const store = new Store(client, namespace, key);
    const known = await store.load(() => `20261123101112-${namespace}`);
    const archive = new Archive({ client, namespace, key, memory: known, keep, foldAt: FOLD_AT });
    const audit = new AuditLog({
      client,
      namespace,
      key,
      end: known.end,
      log: silentLog,
      onAppend: (record) => known.ledger.apply(record),
      onStored: (lines, end) => {
        archive.stored(lines, end);
        this.lines.push(...lines);
      },
    });
    const upkeep = new Upkeep({ store, archive, audit, memory: known, log: silentLog });
    this.#parts = { audit, archive, upkeep, known };
    return known;
  }

  /** Opens bundles one at a time: a segment each. */
  async open(from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += 1) await this.parts.audit.append([opened(`b-${at % 7}`, at + 1)]);
  }

  /** Opens bundles with upkeep in between, as a keyring has it. */
  async grow(from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += 10) {
      await this.open(at, at + 10);
      await this.parts.upkeep.run();
    }
  }

  /** What a start makes of what is stored now, checked against every line that was ever stored. */
  async reopened(): Promise<Remembered> {
    const found = await new Store(this.memory.client, this.memory.namespace, this.memory.key).load(() => "none");
    const whole = new MerkleTree();
    for (const line of this.lines) whole.append(leafHash(line));
    const [is, was] = [found.tree.root(), whole.root(found.tree.size)].map(encodeHex);
    if (is !== was) throw new Error("the log that opens is another one");
    return found;
  }
}

/** A client that is as good as dead after so many writes: the last one may or may not have reached the API server. */
function mortal(client: ApiClient, writes: number, isLastDone: boolean): ApiClient {
  let left = writes;
  return new Proxy(client, {
    get(target, name: keyof ApiClient) {
      const method = target[name] as (...args: unknown[]) => Promise<unknown>;
      if (!["create", "replace", "delete"].includes(name)) return method.bind(target);
      return async (...args: unknown[]) => {
        left -= 1;
        if (left < 0 && !(left === -1 && isLastDone)) throw new Error("dead");
        const answer = await method.apply(target, args);
        if (left < 0) throw new Error("dead");
        return answer;
      };
    },
  });
}

t.test("on a real API server", async (t) => {
  const controlPlane = await startControlPlane();
  t.teardown(() => controlPlane.stop());
  await controlPlane.applyCrds();
  const client = await connect({ file: controlPlane.kubeconfig });
  t.teardown(() => client.close());
  const work = inNamespaces(client, (namespace) => new Work(client, namespace));

  await t.test(
    "small segments are folded, and those that are too many dropped: all that was accepted stays known",
    async (t) => {
      const one = await work();
      const known = await one.begin();
      await one.parts.audit.append([START]);
      await one.grow(0, 200);
      const stored = await one.memory.segments();
      t.ok(stored.length <= KEEP + FOLD_AT, `${stored.length} segments are left of 201`);
      t.ok(stored.some(({ metadata }) => metadata.name.endsWith("-folded")));
      t.ok(one.parts.archive.first > 0, "the first ones are dropped");
      const again = await one.reopened();
      t.same([...again.ledger.stored()].sort(), [...known.ledger.stored()].sort());
      t.same(again.end, one.parts.audit.end);
      t.same(again.ledger.place("shop-prod/b-3")?.entries.get("A"), accepted(200));
      await one.begin();
      await one.open(200, 205);
      t.equal((await one.reopened()).end.size, 206, "the chain goes on");
    },
  );

  await t.test("what is in the cluster reads as it was stored, before it was folded and after", async (t) => {
    const one = await work();
    await one.begin();
    await one.open(0, 12);
    const read = async (from: number) => {
      const found: string[] = [];
      for (;;) {
        const lines = await one.parts.archive.lines(from + found.length);
        if (lines.length === 0) return found;
        found.push(...lines);
      }
    };
    t.same(await read(0), one.lines);
    await one.parts.upkeep.run();
    t.same(await read(0), one.lines);
    t.same(await read(5), one.lines.slice(5));
    t.same(await one.parts.archive.lines(12), []);
    const checkpoint = readCheckpoint(one.parts.archive.checkpoint(), one.memory.key.verifyKey);
    t.match(checkpoint, { log: one.parts.audit.end.log, size: 12 });
    t.same(checkpoint.root, one.parts.archive.tree.root());
  });

  await t.test("with keep 0 nothing is folded, and nothing deleted", async (t) => {
    const one = await work();
    await one.begin(client, 0);
    await one.open(0, 40);
    await one.parts.upkeep.run();
    t.equal((await one.memory.segments()).length, 40);
  });

  await t.test(
    "a keyring that dies at any write of its upkeep leaves a log that opens, with nothing lost",
    async (t) => {
      for (let writes = 0; ; writes += 1) {
        const one = await work();
        await one.begin();
        await one.open(0, KEEP + 5);
        const known = [...one.parts.known.ledger.stored()].sort();
        let [deaths, isDone] = [0, false];
        for (const isLastDone of [false, true]) {
          const before = await one.memory.segments();
          await one.begin(mortal(client, writes, isLastDone));
          await one.parts.upkeep.run();
          const again = await one.reopened();
          t.same([...again.ledger.stored()].sort(), known);
          t.equal(again.end.size, one.lines.length);
          deaths += 1;
          isDone = (await one.memory.segments()).length < before.length && again.leftovers.length === 0;
        }
        t.equal(deaths, 2);
        await one.begin();
        await one.open(30, 30 + KEEP);
        await one.parts.upkeep.run();
        t.equal((await one.reopened()).leftovers.length, 0, `the next one clears up after ${writes} writes`);
        if (isDone || writes > 60) {
          t.ok(writes > 10, `it took ${writes} writes`);
          break;
        }
      }
    },
  );

  await t.test("a snapshot that is older than what was dropped is not believed, nor one that is gone", async (t) => {
    const one = await work();
    await one.begin();
    await one.grow(0, 200);
    const [old] = (await one.memory.parts()).filter(({ spec }) => spec.kind === "Places");
    await one.grow(200, 500);
    t.ok(one.parts.archive.first > (old?.spec.through ?? 0), "more was dropped than that snapshot knows");
    await one.reopened();
    await one.memory.swap(ZOPP_LEDGERS, old as KubeObject, old?.spec ?? {});
    t.equal(await codeOf(one.reopened()), "LogBroken", "put back");
    await one.memory.delete(ZOPP_LEDGERS, old as KubeObject);
    t.equal(await codeOf(one.reopened()), "LogBroken", "deleted");
  });

  await t.test("segments that are gone are not taken for dropped ones", async (t) => {
    const one = await work();
    await one.begin();
    await one.grow(0, 60);
    const [first] = await one.memory.segments();
    await one.memory.delete(ZOPP_AUDIT_SEGMENTS, first as KubeObject);
    t.equal(await codeOf(one.reopened()), "LogBroken");
  });

  await t.test(
    "a small segment that was changed is not folded: its records stay what they are, and reading says so",
    async (t) => {
      const one = await work();
      await one.begin();
      await one.open(0, 12);
      const [, second, third] = await one.memory.segments();
      await one.memory.swap(ZOPP_AUDIT_SEGMENTS, second as KubeObject, {
        ...second?.spec,
        records: third?.spec.records,
      });
      await one.parts.upkeep.run();
      t.equal((await one.memory.segments()).length, 12);
      t.equal(await codeOf(one.parts.archive.lines(1)), "LogBroken");
    },
  );

  await t.test("records are lines of one form", async (t) => {
    const record = { index: 0, time: "2026-11-23T10:11:12.000Z", ...START };
    t.equal(
      lineOf(record),
      '{"index":0,"time":"2026-11-23T10:11:12.000Z","action":"start","decision":"done","actor":"keyring"}',
    );
  });
});
