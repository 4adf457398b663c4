import t from "tap";
import { FaultingProxy } from "../faulting-proxy.js";
import { startTestbed } from "../testbed.js";
import { quiet, versions } from "../testbed.look.js";
import { Operators } from "./operators.js";

const bed = await startTestbed({ apart: true, namespaces: ["shop-killed", "shop-paused", "shop-cut-off"] });
await bed.operator.stop();
const operators = new Operators(bed);
const proxy = await FaultingProxy.start(bed.controlPlane);
t.teardown(async () => {
  await operators.stop();
  await proxy.stop();
  await bed.stop();
});

t.test("kill -9 of the leader: the other takes over when the Lease has run out, and no change is lost", async (t) => {
  const leader = await operators.start();
  t.equal(await operators.leader(), leader);
  const standby = await operators.start();
  await operators.underLoad(t, "killed", async () => {
    await leader.child.stop("SIGKILL");
    t.equal(await operators.leader(), standby);
  });
});

t.test("a leader that was paused for longer than its Lease writes nothing when it wakes up, and ends", async (t) => {
  const leader = await operators.leader();
  const standby = await operators.start();
  await operators.underLoad(t, "paused", async (load) => {
    const before = load.applied;
    const burst = load.burst();
    // in the middle of its work: answers and writes are under way
    while (load.applied === before) await new Promise(setImmediate);
    process.kill(leader.child.pid, "SIGSTOP");
    await burst;
    t.equal(await operators.leader(standby), standby);
  });
  await quiet(standby);
  const before = await versions(bed, "shop-paused");
  process.kill(leader.child.pid, "SIGCONT");
  t.equal(await leader.child.stopped(), 1);
  t.strictSame(await versions(bed, "shop-paused"), before, "it wrote nothing");
  t.ok(
    leader.child.lines.some((line) => line.includes('"code":"NotLeading"')),
    "and says why it ends",
  );
});

t.test("a leader that cannot reach the API server ends by itself, before the other begins", async (t) => {
  await operators.stop();
  const leader = await operators.start("--kubeconfig", proxy.kubeconfig);
  t.equal(await operators.leader(), leader);
  const standby = await operators.start();
  await operators.underLoad(t, "cut off", async () => {
    proxy.fault(() => ({ kind: "hang" }));
    t.equal(await leader.child.stopped(), 1);
    t.equal(await operators.leader(), standby);
  });
});
