// New values wait for a Job, and come into the Secret when it has succeeded; until then the Secret has those before.
import t from "tap";
import type { GenerateRule } from "../../crds/types.gen.js";
import { conditionOf, readyOf } from "../../operator/kube/conditions.js";
import { eventually } from "../eventually.js";
import { withHeader, withValue } from "../fixtures.js";
import { kubectlOf, readMetrics } from "../testbed.look.js";
import { ADMIN, ended, LONG, PASSWORD, ROTATION, RotationWorld } from "./rotation.world.js";

const world = await RotationWorld.start();
const { bed } = world;
t.teardown(() => bed.stop());

const kubectl = kubectlOf(bed);

t.test("the first value waits for its Job, which alone gets what only it may have", async (t) => {
  await world.applied("first");
  const { status } = await bed.settled("RotationPending", "first");
  t.match(readyOf(status)?.message, /the Job first-rotate-[0-9a-f]{10}, made at /);
  await t.rejects(bed.secret("first"), { code: "NotFound" });
  const job = await world.running("first");
  const { "new/DB_PASSWORD": made = "", ...others } = await world.mounted(job);
  t.match(made, /^[A-Za-z0-9]{32}$/);
  t.strictSame(others, { "new/ADMIN_URL": ADMIN, "new/DB_HOST": "db-1", "new/DB_PASSWORD_OLD": made });
  await world.succeed(job);
  await bed.settled("Synced", "first");
  t.strictSame(await world.dataOf("first"), { DB_HOST: "db-1", DB_PASSWORD: made, DB_PASSWORD_OLD: made });
});

t.test(
  "another value waits for its Job; meanwhile the Secret of before serves, is repaired, and follows other changes",
  async (t) => {
    const before = await world.born("again");
    await world.again("again");
    await world.pending("again", "RotationPending");
    const job = await world.running("again");
    const files = await world.mounted(job);
    t.equal(files["old/DB_PASSWORD"], before["DB_PASSWORD"]);
    t.not(files["new/DB_PASSWORD"], before["DB_PASSWORD"]);
    t.equal(readyOf((await bed.bundle("again")).status)?.status, "True");
    t.strictSame(await world.dataOf("again"), before);
    await kubectl("delete", "secret", "again");
    await eventually(async () => JSON.stringify(await world.dataOf("again")) === JSON.stringify(before), LONG);
    await bed.applyBundle(withValue(await world.stored("again"), "DB_HOST", "db-2", bed.writing()));
    await bed.settled("Synced", "again");
    t.strictSame(await world.dataOf("again"), { ...before, DB_HOST: "db-2" });
    t.equal(readyOf((await bed.bundle("again")).status)?.status, "True");
    await world.pending("again", "RotationPending");
    await bed.applyBundle(withValue(await world.stored("again"), "DB_HOST", "evil", bed.writing("mallory")));
    await bed.settled("UnknownSigner", "again");
    await bed.applyBundle(withValue(await world.stored("again"), "DB_HOST", "db-2", bed.writing()));
    await bed.settled("Synced", "again");
    await world.succeed(job);
    const now = { DB_HOST: "db-2", DB_PASSWORD: files["new/DB_PASSWORD"], DB_PASSWORD_OLD: before["DB_PASSWORD"] };
    await eventually(async () => JSON.stringify(await world.dataOf("again")) === JSON.stringify(now));
    // the status follows the Secret
    await eventually(async () => conditionOf((await bed.bundle("again")).status, "RotationPending") === undefined);
    await bed.settled("Synced", "again");
    t.ok((await world.reasons("again")).includes("RotationPending"));
  },
);

t.test("a value that is over while its Job runs is not made anew; the Secret gets each that a Job had", async (t) => {
  const short: GenerateRule = { ...PASSWORD, rotateEvery: "3s" };
  let before = await world.born("timed", short);
  for (const _ of [1, 2]) {
    const job = await world.running("timed");
    const files = await world.mounted(job);
    t.equal(files["old/DB_PASSWORD"], before["DB_PASSWORD"]);
    const made = (await bed.bundle("timed")).status?.generated?.["DB_PASSWORD"]?.made ?? "";
    await eventually(() => Date.now() > Date.parse(made) + 8_000, LONG);
    t.equal((await bed.bundle("timed")).status?.generated?.["DB_PASSWORD"]?.made, made);
    t.strictSame(await world.dataOf("timed"), before);
    await world.succeed(job);
    await eventually(async () => (await world.dataOf("timed"))["DB_PASSWORD"] === files["new/DB_PASSWORD"], LONG);
    t.equal((await world.dataOf("timed"))["DB_PASSWORD_OLD"], before["DB_PASSWORD"]);
    before = await world.dataOf("timed");
  }
  t.ok((await world.reasons("timed")).includes("Rotated"));
});

t.test("another value that is asked for while a Job runs waits for its end: two never run at once", async (t) => {
  const before = await world.born("twice");
  await world.again("twice");
  const first = await world.running("twice");
  const made = await world.mounted(first);
  await bed.applyBundle(
    withHeader(await world.stored("twice"), { generate: { DB_PASSWORD: { ...PASSWORD, version: 3 } } }, bed.writing()),
  );
  await eventually(async () => {
    const { metadata, status } = await bed.bundle("twice");
    const ready = readyOf(status);
    return ready?.observedGeneration === metadata.generation && ready?.message.includes(first.metadata.name);
  }, LONG);
  t.equal((await world.jobs("twice")).filter((job) => !ended(job)).length, 1);
  t.strictSame(await world.dataOf("twice"), before);
  await world.succeed(first);
  const second = await eventually(async () => {
    const next = await world.running("twice");
    return next.metadata.name !== first.metadata.name && next;
  }, LONG);
  const files = await world.mounted(second);
  t.equal(files["old/DB_PASSWORD"], made["new/DB_PASSWORD"], "the value before is the one that the first Job had");
  await world.succeed(second);
  await eventually(async () => (await world.dataOf("twice"))["DB_PASSWORD"] === files["new/DB_PASSWORD"], LONG);
});

t.test("a Job that fails leaves the old Secret, is told, and is made again when it is gone", async (t) => {
  const rotation = { ...ROTATION, deadline: "10s" };
  const before = await world.born("failing", PASSWORD, rotation);
  const counted = async () =>
    (await readMetrics(bed.ports.metrics)).sum("zopp_rotation_jobs_total", { result: "failed" });
  const count = await counted();
  await world.again("failing");
  const { metadata } = await world.running("failing");
  const made = await world.madeOf("failing");
  const message = await world.pending("failing", "RotationFailed");
  t.match(message, `the Job ${metadata.name}`);
  t.match(message, /kubectl delete job/);
  t.equal(readyOf((await bed.bundle("failing")).status)?.status, "True");
  t.strictSame(await world.dataOf("failing"), before);
  t.ok((await world.reasons("failing")).includes("RotationFailed"));
  t.equal(await counted(), count + 1);
  await kubectl("delete", "job", metadata.name);
  const next = await world.running("failing");
  t.equal(next.metadata.name, metadata.name, "the same values");
  t.not(next.metadata.uid, metadata.uid);
  t.equal(await world.madeOf("failing"), made);
  await world.succeed(next);
  await bed.settled("Synced", "failing");
  await eventually(async () => (await world.dataOf("failing"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"]);
});

t.test("workloads restart when the new value is published, not while it waits", async (t) => {
  const restartsOf = async () => (await bed.bundle("restarting")).status?.restarts;
  await world.born("restarting");
  const before = await restartsOf();
  await world.again("restarting");
  const job = await world.running("restarting");
  await world.pending("restarting", "RotationPending");
  await kubectl("delete", "secret", "restarting");
  await eventually(async () => (await world.dataOf("restarting"))["DB_PASSWORD"], LONG);
  await bed.settled("Synced", "restarting");
  t.strictSame(await restartsOf(), before, "the Secret was written with the value before");
  await world.succeed(job);
  await eventually(async () => (await restartsOf())?.content !== before?.content, LONG);
});
