// A log that two replicas write, on a real API server: whoever comes second starts over on what the first one wrote.
import t from "tap";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { acme } from "../../hack/fixtures.js";
import { type ApiClient, connect } from "../kube/client.js";
import { silentLog } from "../kube/observe.js";
import { ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../kube/resources.js";
import { AuditLog } from "./log.js";
import { accepted, accepting, codeOf, inNamespaces, Memory, opened, START } from "./memory.case.js";
import type { AuditRecord, Fact } from "./records.js";
import { readBack } from "./replay.js";
import { remember } from "./running.js";
import { makeSegment } from "./segment.js";
import { Store } from "./store.js";

const REFUSED: Fact = { action: "open", decision: "refused", actor: "operator", object: "shop-prod/bad" };
const DIGEST = "d".repeat(64);

/** A replica at work, and what it knows. */
async function replica(one: Memory) {
  const { ledger, end } = await one.load();
  const policies = new Map<string, unknown>();
  const exported: string[] = [];
  const requests: string[] = [];
  const client = new Proxy(one.client, {
    get(target, name: keyof ApiClient) {
      const method = target[name];
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        requests.push(name);
        return (method as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const store = new Store(client, one.namespace, one.key);
  const log = new AuditLog({
    client,
    namespace: one.namespace,
    key: one.key,
    end,
    log: silentLog,
    onAppend: (record) => ledger.anticipate(record),
    onStored: (lines, { size }) => {
      ledger.settle(size);
      exported.push(...lines);
    },
    sharing: {
      next: (from) => store.next(from, policies),
      onTaken: ({ lines }) => {
        ledger.takeBack();
        for (const line of lines) ledger.apply(JSON.parse(line) as AuditRecord);
        exported.push(...lines);
      },
    },
  });
  const version = (name: string) => ledger.place(`shop-prod/${name}`)?.entries.get("A")?.version;
  return { log, ledger, policies, exported, requests, version };
}

t.test("on a real API server", async (t) => {
  const controlPlane = await startControlPlane();
  t.teardown(() => controlPlane.stop());
  await controlPlane.applyCrds();
  const client = await connect({ file: controlPlane.kubeconfig });
  t.teardown(() => client.close());
  const bench = inNamespaces(client, (namespace) => new Memory(client, namespace));

  /** Two replicas that know the same: a log with its first record. */
  async function two() {
    const one = await bench();
    await one.write(await one.load(), START);
    const [first, second] = [await replica(one), await replica(one)];
    t.teardown(() => Promise.all([first.log.close(), second.log.close()]));
    const stored = async () => {
      const { lines } = readBack(first.log.end.log, await one.segments(), [], one.key.verifyKey);
      return lines.map((line) => JSON.parse(line) as AuditRecord);
    };
    return { one, first, second, stored };
  }

  await t.test("what was decided before the other's records is not written, and its caller hears so", async (t) => {
    const { first, second, stored } = await two();
    await first.log.append([opened("api", 7)]);
    const attempt = second.log.append([opened("api", 3), opened("web", 1)]);
    t.equal(second.version("api"), 3, "as far as it knew");
    t.equal(await codeOf(attempt), "AuditUnavailable");
    t.same([second.version("api"), second.version("web")], [7, undefined], "its ledger is that of the log");
    t.same([...second.ledger.stored()], [...first.ledger.stored()]);
    t.equal(second.log.quiet, true);
    await second.log.append([opened("web", 2)]);
    t.same(
      (await stored()).map(({ object }) => object),
      [undefined, "shop-prod/api", "shop-prod/web"],
    );
    t.same(second.exported.length, 2, "both replicas write out all that was recorded since they started");
  });

  await t.test("alone it asks the API server for one segment after the other, and nothing else", async (t) => {
    const { first, second } = await two();
    for (let at = 0; at < 10; at += 1) await first.log.append([opened("api", at + 1)]);
    t.same(first.requests, Array(10).fill("create"));
    await first.log.look();
    t.same(first.requests.slice(10), ["get"], "to look is one more");
    await second.log.look();
    second.requests.length = 0;
    await first.log.append([opened("api", 20)]);
    t.equal(await codeOf(second.log.append([opened("api", 21)])), "AuditUnavailable");
    t.same(second.requests, ["create", "get"], "who was second a moment ago reads what was first, and no more");
  });

  await t.test("what was noted in a turn that is over stays unwritten, however late its call goes on", async (t) => {
    const { first, second, stored } = await two();
    const { turn } = second.log;
    second.log.note(opened("api", 3), turn);
    await first.log.append([opened("api", 7)]);
    await second.log.look();
    t.equal(turn.isOver, true);
    t.equal(await codeOf(second.log.flush(turn)), "AuditUnavailable", "its first part is gone, so it is no release");
    t.throws(() => second.log.note(opened("web", 1), turn), { code: "AuditUnavailable" });
    t.equal(await codeOf(second.log.append([opened("web", 1)], turn)), "AuditUnavailable");
    t.equal(await codeOf(second.log.upToDate(turn)), "AuditUnavailable");
    t.equal((await stored()).length, 2);
  });

  await t.test("a call whose records were stored before the other's is told so", async (t) => {
    const { first, second, stored } = await two();
    const { turn } = second.log;
    await second.log.append([opened("api", 3)], turn);
    await first.log.look();
    await first.log.append([opened("api", 7)]);
    await second.log.look();
    t.equal(turn.isOver, true);
    t.equal(turn.stored, 2);
    t.equal((await stored()).length, 3);
  });

  await t.test("a refusal was said, so it is recorded after all, behind what came first", async (t) => {
    const { first, second, stored } = await two();
    await first.log.append([opened("api", 7)]);
    const refused = codeOf(second.log.append([REFUSED]));
    const release = codeOf(second.log.append([opened("web", 1)]));
    t.same(await Promise.all([refused, release]), ["AuditUnavailable", "AuditUnavailable"]);
    await second.log.flush();
    const [, , third, ...more] = await stored();
    t.match(third, { index: 2, object: "shop-prod/bad", decision: "refused" });
    t.same(more, []);
  });

  await t.test("many at once: no record is lost, none is there twice, and both know the same", async (t) => {
    const { first, second, stored } = await two();
    const done: string[] = [];
    const work = async ({ log }: typeof first, who: string) => {
      for (let at = 0; at < 20; at += 1) {
        const name = `${who}-${at}`;
        while ((await codeOf(log.append([opened(name, 1)]))) !== "ok");
        done.push(`shop-prod/${name}`);
      }
    };
    await Promise.all([work(first, "one"), work(second, "two"), work(first, "three"), work(second, "four")]);
    await Promise.all([first.log.look(), second.log.look()]);
    const records = await stored();
    t.same(
      records.map(({ index }) => index),
      [...records.keys()],
    );
    t.same(records.flatMap(({ object = [] }) => object).sort(), done.sort());
    t.same([...first.ledger.stored()].sort(), [...second.ledger.stored()].sort());
    t.same(first.log.end, second.log.end);
  });

  await t.test("a policy that the other accepted comes with its record", async (t) => {
    const { one, first, second } = await two();
    await one.store.keepPolicy(first.log.end, DIGEST, acme());
    await first.log.append([accepting(DIGEST)]);
    await second.log.look();
    t.same(second.policies.get(DIGEST), JSON.parse(JSON.stringify(acme())));
    t.same(second.ledger.workspaces.get("acme"), { digest: DIGEST, version: 7 });
  });

  await t.test("without the object that it accepts, or with another, nothing is taken in", async (t) => {
    const { one, first, second } = await two();
    await one.store.keepPolicy(first.log.end, DIGEST, acme());
    const [part] = await one.parts();
    await first.log.append([accepting(DIGEST)]);
    const name = part?.metadata.name ?? "";
    await client.delete(ZOPP_LEDGERS, { namespace: one.namespace, name });
    await second.log.look();
    t.equal(second.ledger.workspaces.size, 0);
    const spec = { ...part?.spec, through: 99 };
    await client.create(ZOPP_LEDGERS, { metadata: { name, namespace: one.namespace }, spec } as never);
    await second.log.look();
    t.equal(await codeOf(second.log.append([opened("api", 1)])), "LogForked");
  });

  await t.test("a former policy under the name of the accepted one is a fork", async (t) => {
    const { one, first, second } = await two();
    const former = "e".repeat(64);
    await one.store.keepPolicy(first.log.end, former, acme());
    const [part] = await one.parts();
    const { log } = first.log.end;
    const name = `${log}-${DIGEST}`;
    await client.create(ZOPP_LEDGERS, { metadata: { name, namespace: one.namespace }, spec: part?.spec } as never);
    await first.log.append([accepting(DIGEST)]);
    await second.log.look();
    t.equal(await codeOf(second.log.append([opened("api", 1)])), "LogForked");
    t.equal(second.policies.size, 0);
  });

  await t.test("a segment that our key did not sign, or that does not follow, is a fork as ever", async (t) => {
    for (const what of ["another key", "another past"] as const) {
      const { one, first, second } = await two();
      const { log, size, previous } = first.log.end;
      const place = { log, first: size, previous: what === "another past" ? "1".repeat(64) : previous };
      const lines = [JSON.stringify({ index: size, time: "", ...opened("api", 9) })];
      const key = what === "another key" ? new Memory(client, one.namespace).key : one.key;
      await client.create(ZOPP_AUDIT_SEGMENTS, makeSegment(one.namespace, place, lines, key).segment);
      const forks: unknown[] = [];
      second.log.on("forked", (error) => forks.push(error));
      t.equal(await codeOf(second.log.append([opened("api", 1)])), "LogForked", what);
      await first.log.look();
      t.equal(await codeOf(first.log.append([opened("api", 1)])), "LogForked", "also when it only looks");
      t.equal(forks.length, 1);
      t.equal(first.version("api"), undefined, "nothing of it is believed");
    }
  });

  await t.test("a record that is taken away under a replica, and written again otherwise, is a fork", async (t) => {
    const { one, first, second } = await two();
    await first.log.append([opened("api", 7)]);
    await client.delete(ZOPP_AUDIT_SEGMENTS, {
      namespace: one.namespace,
      name: (await one.segments()).at(-1)?.metadata.name ?? "",
    });
    await second.log.append([opened("api", 3)]);
    await second.log.append([opened("api", 4)]);
    t.equal(await codeOf(first.log.append([opened("web", 1)])), "LogForked");
    t.equal(second.version("api"), accepted(4).version);
  });

  await t.test("one that starts while the other records and writes snapshots knows all that it reads", async (t) => {
    const { one, first } = await two();
    let lists = 0;
    const meanwhile = new Proxy(one.client, {
      get(target, name: keyof ApiClient) {
        if (name !== "list") return (target[name] as () => unknown).bind(target);
        return async (...args: Parameters<ApiClient["list"]>) => {
          const found = await target.list(...args);
          lists += 1;
          if (lists > 1) return found;
          await first.log.append([opened("api", 7)]);
          await one.store.keepPolicy(first.log.end, DIGEST, acme());
          await first.log.append([accepting(DIGEST)]);
          await one.store.fold(first.ledger, first.log.end);
          return found;
        };
      },
    });
    const read = await new Store(meanwhile, one.namespace, one.key).load(() => "none");
    t.same(read.end, first.log.end);
    t.same(read.ledger.place("shop-prod/api")?.entries.get("A"), accepted(7));
    t.equal(read.policies.has(DIGEST), true);
  });

  await t.test(
    "of logs that have just been begun the first one counts; one that goes on counts before all of them",
    async (t) => {
      const one = await bench();
      await one.store.begin("20261123101113-later", START);
      await one.store.begin("20261123101112-first", START);
      t.equal(
        (await one.load()).end.log,
        "20261123101113-later",
        "the one that was there first, whatever it is called",
      );
      await one.write(await one.load(), opened("api", 1));
      await one.store.begin("20261123101114-last", START);
      t.match((await one.load()).end, { log: "20261123101113-later", size: 2 });
    },
  );

  await t.test("replicas that start at once where there is no log have one log, which one of them began", async (t) => {
    for (let round = 0; round < 10; round += 1) {
      const one = await bench();
      const start = () => remember(one.store, silentLog, (log) => ({ ...START, log }));
      const found = await Promise.all([start(), start(), start()]);
      t.equal(new Set(found.map(({ memory }) => memory.end.log)).size, 1);
      t.equal(found.filter(({ isNew }) => isNew).length, 1);
    }
  });
});
