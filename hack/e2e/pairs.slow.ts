// Two operators that each have a keyring of their own, as the chart has them in mode sidecar with `replicas: 2`: one pair works,
// the other stands by, whatever becomes of either half.
import t, { type Test } from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { saidAt } from "../child.js";
import { eventually } from "../eventually.js";
import { startTestbed } from "../testbed.js";
import { readMetrics, readText } from "../testbed.look.js";
import { Operators } from "./operators.js";
import { type Pair, Pairs } from "./pairs.js";
import { ELECTING, judgeLog } from "./standing-by.js";

/** A keyring that has not heard its operator for two minutes makes way. */
const DESERTED_MS = 180_000;
/** For so long, and a little more, an operator has patience with a keyring that is away. */
const PATIENCE_MS = 4_500;
const PER_SECOND = 10;

const bed = await startTestbed({
  env: ELECTING,
  namespaces: ["shop-prod", "shop-ended", "shop-killed", "shop-keyring-killed", "shop-operator-killed"],
});
await bed.operator.stop();
await bed.keyring.stop();
const pairs = new Pairs(bed);
const operators = new Operators(bed);
t.teardown(async () => {
  await pairs.stop();
  await bed.stop();
});

/** Does something while values change all the time, in a namespace of its own; then the whole log is judged. */
async function underLoad(t: Test, namespace: string, act: () => Promise<void>): Promise<void> {
  await operators.underLoadIn(t, namespace, act, PER_SECOND);
  await judge(t, namespace);
}

/** Fails unless everything that was delivered to a namespace is in one whole log, and no keyring found another one's. */
async function judge(t: Test, namespace: string): Promise<void> {
  const { items } = await bed.client.list<ZoppSecret>(ZOPP_SECRETS, { namespace });
  // the first one was the testbed's own
  await judgeLog(
    t,
    bed,
    1 + pairs.served,
    items.map(({ status }) => status?.digest ?? ""),
  );
  t.notOk(
    pairs.lines.some((line) => line.includes("LogForked")),
    "no log forked",
  );
}

async function applied(name: string): Promise<void> {
  await bed.applyBundle(bed.seal({ A: name }, { name }));
  const isThere = async () => (await bed.secret(name)).data?.["A"] === name;
  await eventually(isThere, { timeoutMs: 20_000, message: `the Secret ${name} is there` });
}

function other(pair: Pair): Pair {
  const found = [...pairs.running].find((each) => each !== pair);
  if (found === undefined) throw new TypeError("there is no other pair");
  return found;
}

t.test("of two pairs one works; the other is ready, and asks and writes nothing", async (t) => {
  const first = await pairs.start();
  t.equal(await pairs.working(), first);
  const second = await pairs.start();
  const { ports } = second;
  await applied("one");
  t.equal(await pairs.working(), first);
  for (const probe of ["/startz", "/readyz"])
    t.equal(await readText(ports.health, probe), "ok", `the operator ${probe}`);
  t.equal(await readText(ports.keyringHealth, "/startz"), "ok", "the keyring's /startz");
  t.equal(await readText(ports.keyringHealth, "/readyz"), "StandingBy", "the keyring's /readyz");
  for (const port of [ports.metrics, ports.keyringMetrics]) {
    const numbers = await readMetrics(port);
    for (const method of ["POST", "PUT", "PATCH", "DELETE"])
      t.equal(numbers.sum("rest_client_requests_total", { method }), 0, method);
  }
  const complaints = second.operator.lines.filter((line) => /"level":"(warn|error)"/.test(line));
  t.strictSame(complaints, [], "that its keyring does not listen is nothing to complain of");
});

t.test("a pair that is asked to end, the operator first, hands over: no change is lost or done twice", async (t) => {
  const [from, next] = [await pairs.working(), other(await pairs.working())];
  await underLoad(t, "shop-ended", async () => {
    t.strictSame(await pairs.end(from), [0, 0]);
    t.equal(await pairs.working(), next);
  });
  const asked = saidAt(from.operator, "stopping");
  const gaveUp = saidAt(from.operator, "gave the lease up");
  const keyring = saidAt(from.keyring, "gave the lease up");
  const [served, leads] = [saidAt(next.keyring, "serving"), saidAt(next.operator, "leads")];
  t.comment(
    `from SIGTERM: the operator gave its lease up after ${gaveUp - asked} ms, the keyring after ${keyring - asked} ms; ` +
      `the next one's served after ${served - asked} ms, and its operator led after ${leads - asked} ms`,
  );
});

t.test(
  "kill -9 of the working pair, as when its node is lost: the other goes on when the Leases have run out",
  async (t) => {
    const [from, next] = [await pairs.working(), await pairs.start()];
    await underLoad(t, "shop-killed", async () => {
      const killed = Date.now();
      await pairs.end(from, "SIGKILL");
      t.equal(await pairs.working(), next);
      t.comment(
        `its keyring served after ${saidAt(next.keyring, "serving") - killed} ms, its operator led after ${saidAt(next.operator, "leads") - killed} ms`,
      );
    });
  },
);

t.test("kill -9 of the working keyring alone: its operator makes way, and in the end one pair works", async (t) => {
  await pairs.start();
  const from = await pairs.working();
  await underLoad(t, "shop-keyring-killed", async () => {
    from.keyring.signal("SIGKILL");
    await eventually(() => from.operator.ends.length > 0, { timeoutMs: 20_000, message: "its operator ends" });
    const next = await pairs.working();
    t.comment(`${next === from ? "the same" : "the other"} pair went on`);
  });
  t.ok(
    from.operator.lines.some((line) => line.includes("has no keyring any more")),
    "it says why it ends",
  );
  t.ok(
    from.operator.lines.some((line) => line.includes("gave the lease up")),
    "and did not keep its Lease",
  );
});

t.test("kill -9 of the working operator alone: the one whose keyring serves goes on", async (t) => {
  const from = await pairs.working();
  await underLoad(t, "shop-operator-killed", async () => {
    from.operator.signal("SIGKILL");
    t.equal(await pairs.working(), from);
  });
});

t.test("a keyring that is only started again keeps its operator", async (t) => {
  const working = await pairs.working();
  await pairs.end(other(working));
  const [{ pid }, ends] = [working.operator.child, working.keyring.ends.length];
  working.keyring.signal("SIGTERM");
  await eventually(() => working.keyring.ends.length > ends, { message: "the keyring has ended" });
  await applied("again");
  const awayMs = saidAt(working.keyring, "serving") - saidAt(working.keyring, "gave the lease up");
  t.comment(`it served again after ${awayMs} ms`);
  // on a machine that has too much to do it takes longer than an operator waits
  if (awayMs < PATIENCE_MS) t.equal(working.operator.child.pid, pid);
  await pairs.start();
});

t.test("an operator that does not come back: its keyring makes way for the other pair", async (t) => {
  const from = await pairs.working();
  const next = other(from);
  await from.operator.stop();
  t.equal(await pairs.working(DESERTED_MS), next);
  await applied("deserted");
});
