// Where segments may be deleted a keyring must be alone: one that slept while another one wrote, folded and deleted finds out.
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startControlPlane } from "../../hack/control-plane/control-plane.js";
import { eventually } from "../../hack/eventually.js";
import { type ApiClient, connect } from "../kube/client.js";
import { silentLog } from "../kube/observe.js";
import { CONFIG_MAPS, ZOPP_AUDIT_SEGMENTS } from "../kube/resources.js";
import { Archive } from "./archive.js";
import { AuditLog } from "./log.js";
import { codeOf, inNamespaces, Memory, opened, START } from "./memory.case.js";
import { CLUSTER_CONFIG_MAP } from "./publish.js";
import { remember } from "./running.js";
import { SoleWriter } from "./sole.js";

const FOLD_AT = 8;

/** A keyring that keeps some segments only: it starts on what is there, as keyrings do. */
async function keyring({ client, namespace, key, store }: Memory) {
  const sole = new SoleWriter(client, namespace, key.verifyKey, silentLog);
  const { memory } = await remember(store, silentLog, () => START, sole);
  const archive = new Archive({ client, namespace, key, memory, keep: 16, foldAt: FOLD_AT });
  const stored: string[] = [];
  const log = new AuditLog({
    client,
    namespace,
    key,
    end: memory.end,
    log: silentLog,
    onAppend: (record) => memory.ledger.apply(record),
    onStored: (lines, end) => {
      archive.stored(lines, end);
      stored.push(...lines);
    },
    sole,
    patienceMs: 20_000,
  });
  const forked: unknown[] = [];
  log.on("forked", (error) => forked.push(error));
  const write = async (count: number) => {
    for (let at = 0; at < count; at += 1) await log.append([opened("api", log.end.size + 1)]);
  };
  return { log, archive, stored, forked, write };
}

/** An answer is good for 200 ms: after this, whoever writes has to ask again, on a fast machine too. */
const untilStale = () => sleep(300);

t.test("on a real API server", async (t) => {
  const controlPlane = await startControlPlane();
  t.teardown(() => controlPlane.stop());
  await controlPlane.applyCrds();
  const client = await connect({ file: controlPlane.kubeconfig });
  t.teardown(() => client.close());
  const bench = inNamespaces(client, (namespace) => new Memory(client, namespace));
  const start = async (one: Memory) => {
    const made = await keyring(one);
    t.teardown(() => made.log.close());
    return made;
  };

  /** One that idles, and another one that wrote after it and folded all of that, so that the next name is free again. */
  async function overtaken() {
    const one = await bench();
    const idle = await start(one);
    await idle.write(FOLD_AT - 1);
    const other = await start(one);
    await other.write(FOLD_AT);
    await other.archive.fold();
    const names = (await one.segments()).map(({ metadata }) => metadata.name);
    t.equal(names.filter((name) => !name.endsWith("-folded")).length, 0, "no small segment is left");
    await untilStale();
    return { one, idle, other };
  }

  await t.test("what it writes over the other's log is released to nobody, and it ends", async (t) => {
    const { idle, other } = await overtaken();
    const before = idle.stored.length;
    t.equal(await codeOf(idle.log.append([opened("api", 3)])), "LogForked");
    t.equal(idle.stored.length, before, "nor is it written out");
    t.match(idle.forked, [{ code: "LogForked", message: /names another keyring/ }]);
    t.equal(await codeOf(other.log.append([opened("api", 99)])), "ok", "the one that began last goes on");
  });

  await t.test("it finds out without writing", async (t) => {
    const { idle } = await overtaken();
    await idle.log.look();
    t.match(idle.forked, [{ code: "LogForked" }]);
    t.equal(await codeOf(idle.log.append([opened("api", 3)])), "LogForked");
  });

  await t.test("alone it goes on, however long it idled, and after a restart", async (t) => {
    const one = await bench();
    const first = await start(one);
    await first.write(3);
    await first.log.look();
    await first.log.close();
    const second = await start(one);
    await second.write(3);
    t.same(second.forked, []);
    t.equal(second.log.end.size, 7);
  });

  await t.test("whoever takes the claim away ends it, and releases nothing by it", async (t) => {
    for (const take of [
      (one: Memory) => client.delete(CONFIG_MAPS, { namespace: one.namespace, name: CLUSTER_CONFIG_MAP }),
      (one: Memory) => new SoleWriter(client, one.namespace, one.key.verifyKey, silentLog).claim(),
    ]) {
      const one = await bench();
      const made = await start(one);
      await made.write(2);
      await take(one);
      await eventually(async () => {
        await made.log.look();
        return made.forked.length === 1;
      });
      t.equal(await codeOf(made.log.append([opened("api", 9)])), "LogForked");
    }
  });

  await t.test("a machine that slept asks anew, though its steady clock stood still meanwhile", async (t) => {
    const one = await bench();
    const sole = new SoleWriter(client, one.namespace, one.key.verifyKey, silentLog);
    const [rightNow, steadyNow] = [Date.now, performance.now];
    t.teardown(() => {
      Date.now = rightNow;
      performance.now = steadyNow;
    });
    const fellAsleepAt = performance.now();
    performance.now = () => fellAsleepAt;
    await sole.claim();
    t.ok(await sole.isStill(AbortSignal.timeout(10_000)));
    await new SoleWriter(client, one.namespace, one.key.verifyKey, silentLog).claim();
    Date.now = () => rightNow() + 60_000;
    await t.rejects(sole.isStill(AbortSignal.timeout(10_000)), { code: "LogForked" });
  });

  await t.test("while it cannot see whether it is alone it releases nothing; then it does", async (t) => {
    const one = await bench();
    let isDown = false;
    const flaky = new Proxy(client, {
      get(target, name: keyof ApiClient) {
        const method = target[name] as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) =>
          isDown && name === "get" ? Promise.reject(new Error("no answer")) : method.apply(target, args);
      },
    });
    const made = await start(Object.assign(Object.create(one) as Memory, { client: flaky }));
    await made.write(1);
    isDown = true;
    await untilStale();
    const released = made.log.append([opened("api", 2)]);
    const { size } = made.log.end;
    await eventually(async () => (await one.all(ZOPP_AUDIT_SEGMENTS)).length === size + 1, { message: "it is stored" });
    t.equal(made.log.end.size, size, "and does not count");
    isDown = false;
    t.equal(await codeOf(released), "ok");
  });
});
