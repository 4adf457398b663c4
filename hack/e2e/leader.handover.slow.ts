import t, { type Test } from "tap";
import { saidAt } from "../child.js";
import { eventually } from "../eventually.js";
import { startTestbed } from "../testbed.js";
import { readMetrics } from "../testbed.look.js";
import type { Replica } from "../testbed.operator.js";
import { Operators } from "./operators.js";

const bed = await startTestbed({ apart: true, namespaces: ["shop-handover", "shop-rolling-change"] });
await bed.operator.stop();
const operators = new Operators(bed);
t.teardown(async () => {
  await operators.stop();
  await bed.stop();
});

/** How often one of the first gave the Lease up and one of the others led next; and how long that took, as a comment. */
function handovers(t: Test, from: readonly Replica[], to: readonly Replica[]): number {
  let count = 0;
  for (const replica of from) {
    const [asked, gaveUp] = [saidAt(replica.child, "stopping"), saidAt(replica.child, "gave the lease up")];
    const led = Math.min(...to.map((next) => saidAt(next.child, "leads")).filter((at) => at >= asked));
    // the next one can hear of it, and say so, before the one that gave it up has the answer
    if (!(asked <= gaveUp && Number.isFinite(led))) continue;
    count += 1;
    t.comment(`asked to end: gave the Lease up after ${gaveUp - asked} ms, another one led after ${led - asked} ms`);
  }
  return count;
}

t.test("of two operators one leads; the other is ready, says who leads, and writes nothing", async (t) => {
  const first = await operators.start();
  t.equal(await operators.leader(), first);
  const second = await operators.start();
  const [holder = ""] = /\S+/.exec((await operators.lease()).holderIdentity ?? "") ?? [];
  t.not(holder, "");
  const says = ({ child }: typeof first, what: string) =>
    eventually(() => child.lines.some((line) => line.includes(holder) && line.includes(what)), { message: what });
  await says(first, '"leads"');
  await says(second, "standing by");
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "led" }));
  await eventually(() => bed.secret("led", "shop-handover"), { timeoutMs: 20_000, message: "its Secret is there" });
  const numbers = await readMetrics(second.ports.metrics);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    t.equal(numbers.sum("rest_client_requests_total", { method }), 0, method);
  }
  t.equal(numbers.sum("leader_election_master_status"), 0);
  for (const gauge of ["workqueue_depth", "zopp_oldest_pending_seconds"]) {
    t.equal(numbers.sum(gauge), 0, `${gauge}: what it leaves to the leader does not wait`);
  }
  const { leaseDurationSeconds, leaseTransitions } = await operators.lease();
  t.strictSame({ leaseDurationSeconds, leaseTransitions }, { leaseDurationSeconds: 15, leaseTransitions: 0 });
});

t.test("a leader that is asked to end finishes, hands over, and nothing is lost or done twice", async (t) => {
  const leader = await operators.leader();
  const [next = leader] = [...operators.running].filter((replica) => replica !== leader);
  await operators.underLoad(t, "handover", async () => {
    t.equal(await leader.child.stop("SIGTERM"), 0);
    t.equal(await operators.leader(), next);
  });
  t.equal(handovers(t, [leader], [next]), 1, "the Lease was given up, and the other one led");
  t.equal((await operators.lease()).leaseTransitions, 1);
});

t.test("both are replaced, one after the other, while values change", async (t) => {
  await operators.start();
  const old = [...operators.running];
  await operators.underLoad(t, "rolling change", async () => {
    for (const { child } of old) {
      await operators.start();
      t.equal(await child.stop("SIGTERM"), 0);
    }
    t.notOk(old.includes(await operators.leader()));
  });
  t.ok(handovers(t, old, [...old, ...operators.running]) > 0);
});

t.test("the last one leaves a Lease that nobody holds", async (t) => {
  await operators.stop();
  t.equal((await operators.lease()).holderIdentity, "");
});
