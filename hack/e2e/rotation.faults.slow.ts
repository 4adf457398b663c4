// What may come between a rotation and its Job: an operator that is killed, a Job of somebody else, an operator that may run none,
// a rotation that is taken away. And that nothing of a value is anywhere but in Secrets.
import t, { type Test } from "tap";
import { readyOf } from "../../operator/kube/conditions.js";
import { EVENTS, JOBS, PODS, SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { withHeader, withValue } from "../fixtures.js";
import { kubectlOf } from "../testbed.look.js";
import { ADMIN, type Job, LONG, PASSWORD, ROTATION, RotationWorld } from "./rotation.world.js";

const world = await RotationWorld.start();
const { bed } = world;
t.teardown(() => bed.stop());

const kubectl = kubectlOf(bed);

/** The operator is killed while a Job runs, things are as `left` makes them, and another operator starts. */
async function killed(t: Test, name: string, left: (job: Job) => Promise<unknown>): Promise<void> {
  const before = await world.born(name);
  await world.again(name);
  const job = await world.running(name);
  const files = await world.mounted(job);
  const made = await world.madeOf(name);
  await bed.operator.stop("SIGKILL");
  await left(job);
  await bed.startOperator();
  const same = await world.running(name);
  t.equal(same.metadata.uid, job.metadata.uid, "it is the same Job");
  t.strictSame(await eventually(() => world.mounted(same)), files, "and has the same values");
  await world.succeed(same);
  await eventually(async () => (await world.dataOf(name))["DB_PASSWORD"] === files["new/DB_PASSWORD"], LONG);
  t.equal((await world.dataOf(name))["DB_PASSWORD_OLD"], before["DB_PASSWORD"]);
  t.equal(await world.madeOf(name), made, "and no second value was made");
}

const suspended = ({ metadata }: Pick<Job, "metadata">) =>
  kubectl("patch", "job", metadata.name, "--type=merge", "--patch", '{"spec":{"suspend":true}}');

t.test("an operator that is killed while a Job runs goes on with that Job", async (t) => {
  await killed(t, "killed", async () => {});
});

t.test("so it does where the Job was made and its Secret was not", async (t) => {
  await killed(t, "unequipped", async (job) => {
    await suspended(job);
    await bed.client.delete(SECRETS, { namespace: "shop-prod", name: job.metadata.name });
  });
});

t.test("and where the Job has its Secret and was not let go", async (t) => {
  await killed(t, "unstarted", suspended);
});

t.test("the Secret of a Job that was deleted without it is named, and holds up nothing else", async (t) => {
  const before = await world.born("orphaned");
  await world.again("orphaned");
  const { metadata } = await world.running("orphaned");
  await kubectl("delete", "job", metadata.name, "--cascade=orphan");
  await kubectl("delete", "pods", "--selector", `batch.kubernetes.io/job-name=${metadata.name}`);
  t.match(await world.pending("orphaned", "RotationFailed"), `there is a Secret ${metadata.name} that is no Job's`);
  await bed.applyBundle(withValue(await world.stored("orphaned"), "DB_HOST", "db-2", bed.writing()));
  await eventually(async () => (await world.dataOf("orphaned"))["DB_HOST"] === "db-2", LONG);
  t.strictSame(await world.dataOf("orphaned"), { ...before, DB_HOST: "db-2" });
  await kubectl("delete", "secret", metadata.name);
  await world.succeed(await world.running("orphaned"));
  await eventually(async () => (await world.dataOf("orphaned"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"], LONG);
});

t.test("a Job of somebody else under the name is not believed, though it has succeeded", async (t) => {
  const before = await world.born("foreign");
  await world.again("foreign");
  const { metadata } = await world.running("foreign");
  await bed.operator.stop("SIGKILL");
  // with its pod: the next one's is found by the same label
  await kubectl("delete", "job", metadata.name, "--cascade=foreground");
  await kubectl("create", "job", metadata.name, "--image=registry.example/other");
  await world.succeed({ metadata });
  await kubectl("wait", "--for=condition=complete", `job/${metadata.name}`, "--timeout=60s");
  await bed.startOperator();
  t.match(await world.pending("foreign", "RotationFailed"), /not this bundle's, and is not believed/);
  t.strictSame(await world.dataOf("foreign"), before);
  await kubectl("delete", "job", metadata.name);
  await world.succeed(await world.running("foreign"));
  await eventually(async () => (await world.dataOf("foreign"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"], LONG);
});

t.test("a Job whose Secret somebody has put there in the operator's place is not let go", async (t) => {
  const before = await world.born("slipped");
  await world.again("slipped");
  const { metadata } = await world.running("slipped");
  await bed.operator.stop("SIGKILL");
  await suspended({ metadata });
  const { namespace, name, ownerReferences } = (await bed.secret(metadata.name)).metadata;
  await bed.client.delete(SECRETS, { namespace, name });
  const slipped = { metadata: { namespace, name, ownerReferences }, stringData: { "new.DB_PASSWORD": "chosen" } };
  await bed.client.create(SECRETS, slipped);
  await bed.startOperator();
  t.match(await world.pending("slipped", "RotationFailed"), /is not started: its Secret holds other values/);
  t.equal((await world.jobs("slipped")).find((job) => job.metadata.name === name)?.spec.suspend, true);
  t.strictSame(await world.dataOf("slipped"), before);
});

t.test("an operator that may run no jobs publishes no new value, and one that may goes on", async (t) => {
  const before = await world.born("disabled");
  await bed.operator.stop();
  await bed.startOperator(["--rotation-jobs", "off"]);
  await world.again("disabled");
  t.match(await world.pending("disabled", "RotationDisabled"), /operator.rotationJobs/);
  t.strictSame(await world.dataOf("disabled"), before);
  const { status: stays } = await bed.bundle("killed");
  t.equal(readyOf(stays)?.reason, "Synced", "what has nothing new goes on");
  await bed.operator.stop();
  await bed.startOperator();
  await world.succeed(await world.running("disabled"));
  await eventually(async () => (await world.dataOf("disabled"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"], LONG);
});

t.test("without its rotation a bundle's new values are published at once", async () => {
  const before = await world.born("removed", PASSWORD, { image: ROTATION.image });
  await world.again("removed");
  await world.running("removed");
  await bed.applyBundle(withHeader(await world.stored("removed"), { rotation: undefined }, bed.writing()));
  await eventually(async () => (await world.dataOf("removed"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"], LONG);
});

t.test("nothing of a value is in a log, an Event, a Job, a pod or a bundle", async (t) => {
  const before = await world.born("canary");
  await world.again("canary");
  const job = await world.running("canary");
  const files = await world.mounted(job);
  const values = [ADMIN, files["new/DB_PASSWORD"] ?? "", before["DB_PASSWORD"] ?? ""];
  const seen: unknown[] = [bed.operator.lines, bed.keyring.lines];
  for (const resource of [EVENTS, JOBS, PODS, ZOPP_SECRETS])
    seen.push((await bed.client.list(resource, { namespace: "shop-prod" })).items);
  const text = JSON.stringify(seen);
  t.match(text, job.metadata.name, "the place where one could be");
  for (const value of values) {
    t.ok(value.length > 30);
    t.notOk(text.includes(value) || text.includes(Buffer.from(value).toString("base64")));
  }
});
