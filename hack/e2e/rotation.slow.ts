// Rotation jobs on a real API server with its controllers and real processes: new values wait for a Job, and come into the Secret
// when it has succeeded. No node runs: what the kubelet would do, start the pod on what its Job mounts and say how it ended, is
// done here in its place; the Job's own state is made by the real Job controller. A real pod runs on a node in hack/e2e/cluster.
import t, { type Test } from "tap";
import type { GenerateRule, SecretSpec, ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { EVENTS, JOBS, type KubeObject, PODS, SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { withHeader, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf, readMetrics } from "../testbed.look.js";

const bed = await startTestbed({ kem: "x25519", env: { ZOPP_OPERATOR_ROTATION_JOBS: "on" } });
t.teardown(() => bed.stop());
t.setTimeout(300_000);

const NAMESPACE = "shop-prod";
const LONG = { timeoutMs: 60_000 };
const kubectl = kubectlOf(bed);
/** The value that only the Job gets. */
const ADMIN = "postgres://admin:open-sesame-4711@db";
const PASSWORD: GenerateRule = { version: 1, kind: "password", length: 32, previous: "DB_PASSWORD_OLD" };
const ROTATION = { image: "registry.example/rotate:1", command: ["/rotate"], keys: ["ADMIN_URL"] };

type Rotation = NonNullable<SecretSpec["rotation"]>;
type Files = Readonly<Record<string, string>>;
interface Job extends KubeObject {
  readonly spec: {
    readonly suspend?: boolean;
    readonly template: {
      readonly spec: {
        readonly volumes: readonly {
          readonly secret?: { readonly secretName: string; readonly items: readonly { key: string; path: string }[] };
        }[];
      };
    };
  };
}

/** A bundle whose new values wait for a Job. */
async function applied(name: string, rule: GenerateRule = PASSWORD, rotation: Rotation = ROTATION): Promise<void> {
  const values = { ADMIN_URL: ADMIN, DB_HOST: "db-1" };
  await bed.applyBundle(bed.seal(values, { name, generate: { DB_PASSWORD: rule }, rotation }));
}

/** The same, and its first Job has succeeded; gives what the Secret holds. */
async function born(name: string, rule?: GenerateRule, rotation?: Rotation): Promise<Files> {
  await applied(name, rule, rotation);
  await succeed(await running(name));
  await bed.settled("Synced", name);
  return (await bed.secret(name)).data ?? {};
}

async function jobs(name: string): Promise<readonly Job[]> {
  const { items } = await bed.client.list<Job>(JOBS, { namespace: NAMESPACE });
  return items.filter((job) => job.metadata.name.startsWith(`${name}-rotate-`));
}

const ended = ({ status }: KubeObject & { status?: { conditions?: readonly { type: string; status: string }[] } }) =>
  status?.conditions?.some(({ type, status }) => ["Complete", "Failed"].includes(type) && status === "True") === true;

/** Waits for the one Job of a bundle that has not ended and may start. */
function running(name: string): Promise<Job> {
  const message = `a Job of ${name} runs`;
  return eventually(
    async () => {
      bed.operator.refuseDead();
      const open = (await jobs(name)).filter((job) => !ended(job));
      return open.length === 1 && open[0]?.spec.suspend === false && open[0];
    },
    { ...LONG, message },
  );
}

/** What the container would see under /zopp, by its path: as the kubelet, from what the Job mounts. */
async function mounted({ spec, metadata }: Job): Promise<Files> {
  const { secretName = "", items = [] } = spec.template.spec.volumes[0]?.secret ?? {};
  if (secretName !== metadata.name) throw new Error(`the Job mounts ${secretName}`);
  const { data = {} } = await bed.secret(secretName);
  return Object.fromEntries(items.map(({ key, path }) => [path, data[key] ?? `no ${key}`]));
}

/** The pod that the Job controller made for the Job ends well, as the kubelet says it. */
async function succeed({ metadata }: Pick<KubeObject, "metadata">): Promise<void> {
  const pod = await eventually(async () => {
    const labelSelector = `batch.kubernetes.io/job-name=${metadata.name}`;
    return (await bed.client.list(PODS, { namespace: NAMESPACE, labelSelector })).items[0];
  }, LONG);
  const status = { metadata: { namespace: NAMESPACE, name: pod.metadata.name }, status: { phase: "Succeeded" } };
  await bed.client.apply(PODS, status as KubeObject, { fieldManager: "kubelet", subresource: "status" });
}

async function stored(name: string): Promise<ZoppSecret> {
  const { metadata: _, status: __, ...rest } = await bed.bundle(name);
  return { ...rest, metadata: { name, namespace: NAMESPACE } } as ZoppSecret;
}

/** Signs for another value at once, as `zopp generate --again` does. */
async function again(name: string, rule: GenerateRule = PASSWORD): Promise<void> {
  const rules = { generate: { DB_PASSWORD: { ...rule, version: 2 } } };
  await bed.applyBundle(withHeader(await stored(name), rules, bed.writing()));
}

/** Waits until a bundle's condition RotationPending has this reason; gives its message. */
async function pending(name: string, reason: string): Promise<string> {
  const message = `RotationPending of ${name} is ${reason}`;
  const said = async () => {
    const { status } = await bed.bundle(name);
    const found = status?.conditions?.find(({ type }) => type === "RotationPending");
    return found?.status === "True" && found.reason === reason && found;
  };
  return (await eventually(said, { ...LONG, message })).message;
}

async function reasons(name: string): Promise<readonly string[]> {
  const { items } = await bed.client.list<KubeObject & { reason: string; involvedObject: { name: string } }>(EVENTS, {
    namespace: NAMESPACE,
  });
  return items.filter(({ involvedObject }) => involvedObject.name === name).map(({ reason }) => reason);
}

const dataOf = async (name: string) => (await bed.secret(name)).data ?? {};
const madeOf = async (name: string) => (await bed.bundle(name)).status?.generated?.["DB_PASSWORD"]?.signature;

t.test("the first value waits for its Job, which alone gets what only it may have", async (t) => {
  await applied("first");
  const { status } = await bed.settled("RotationPending", "first");
  t.match(readyOf(status)?.message, /the Job first-rotate-[0-9a-f]{10}, made at /);
  await t.rejects(bed.secret("first"), { code: "NotFound" });
  const job = await running("first");
  const { "new/DB_PASSWORD": made = "", ...others } = await mounted(job);
  t.match(made, /^[A-Za-z0-9]{32}$/);
  t.strictSame(others, { "new/ADMIN_URL": ADMIN, "new/DB_HOST": "db-1", "new/DB_PASSWORD_OLD": made });
  await succeed(job);
  await bed.settled("Synced", "first");
  t.strictSame(await dataOf("first"), { DB_HOST: "db-1", DB_PASSWORD: made, DB_PASSWORD_OLD: made });
});

t.test("another value and another entry wait for the Job; meanwhile the old Secret serves", async (t) => {
  const before = await born("again");
  await again("again");
  await pending("again", "RotationPending");
  const job = await running("again");
  const files = await mounted(job);
  t.equal(files["old/DB_PASSWORD"], before["DB_PASSWORD"]);
  t.not(files["new/DB_PASSWORD"], before["DB_PASSWORD"]);
  await bed.applyBundle(withValue(await stored("again"), "DB_HOST", "db-2", bed.writing()));
  const seen = await eventually(async () => {
    const found = await bed.bundle("again");
    return found.status?.observedGeneration === found.metadata.generation && found;
  });
  t.equal(readyOf(seen.status)?.status, "True");
  t.strictSame(await dataOf("again"), before);
  await succeed(job);
  const now = { DB_HOST: "db-2", DB_PASSWORD: files["new/DB_PASSWORD"], DB_PASSWORD_OLD: before["DB_PASSWORD"] };
  await eventually(async () => JSON.stringify(await dataOf("again")) === JSON.stringify(now));
  const { status } = await bed.settled("Synced", "again");
  t.notOk(status?.conditions?.some(({ type }) => type === "RotationPending"));
  t.ok((await reasons("again")).includes("RotationPending"));
});

t.test("a value that is over while its Job runs is not made anew; the Secret gets each that a Job had", async (t) => {
  const short: GenerateRule = { ...PASSWORD, rotateEvery: "3s" };
  let before = await born("timed", short);
  for (const _ of [1, 2]) {
    const job = await running("timed");
    const files = await mounted(job);
    t.equal(files["old/DB_PASSWORD"], before["DB_PASSWORD"]);
    const made = (await bed.bundle("timed")).status?.generated?.["DB_PASSWORD"]?.made ?? "";
    await eventually(() => Date.now() > Date.parse(made) + 8_000, LONG);
    t.equal((await bed.bundle("timed")).status?.generated?.["DB_PASSWORD"]?.made, made);
    t.strictSame(await dataOf("timed"), before);
    await succeed(job);
    await eventually(async () => (await dataOf("timed"))["DB_PASSWORD"] === files["new/DB_PASSWORD"], LONG);
    t.equal((await dataOf("timed"))["DB_PASSWORD_OLD"], before["DB_PASSWORD"]);
    before = await dataOf("timed");
  }
  t.ok((await reasons("timed")).includes("Rotated"));
});

t.test("a Job that fails leaves the old Secret, is told, and is made again when it is gone", async (t) => {
  const rotation = { ...ROTATION, deadline: "5s" };
  const before = await born("failing", PASSWORD, rotation);
  const counted = async () =>
    (await readMetrics(bed.ports.metrics)).sum("zopp_rotation_jobs_total", { result: "failed" });
  const count = await counted();
  await again("failing");
  const { metadata } = await running("failing");
  const made = await madeOf("failing");
  const message = await pending("failing", "RotationFailed");
  t.match(message, `the Job ${metadata.name}`);
  t.match(message, /kubectl delete job/);
  t.equal(readyOf((await bed.bundle("failing")).status)?.status, "True");
  t.strictSame(await dataOf("failing"), before);
  t.ok((await reasons("failing")).includes("RotationFailed"));
  t.equal(await counted(), count + 1);
  await kubectl("delete", "job", metadata.name);
  const next = await running("failing");
  t.equal(next.metadata.name, metadata.name, "the same values");
  t.not(next.metadata.uid, metadata.uid);
  t.equal(await madeOf("failing"), made);
  await succeed(next);
  await bed.settled("Synced", "failing");
  await eventually(async () => (await dataOf("failing"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"]);
});

/** The operator is killed while a Job runs, things are as `left` makes them, and another operator starts. */
async function killed(t: Test, name: string, left: (job: Job) => Promise<unknown>): Promise<void> {
  const before = await born(name);
  await again(name);
  const job = await running(name);
  const files = await mounted(job);
  const made = await madeOf(name);
  await bed.operator.stop("SIGKILL");
  await left(job);
  await bed.startOperator();
  const same = await running(name);
  t.equal(same.metadata.uid, job.metadata.uid, "it is the same Job");
  t.strictSame(await eventually(() => mounted(same)), files, "and has the same values");
  await succeed(same);
  await eventually(async () => (await dataOf(name))["DB_PASSWORD"] === files["new/DB_PASSWORD"], LONG);
  t.equal((await dataOf(name))["DB_PASSWORD_OLD"], before["DB_PASSWORD"]);
  t.equal(await madeOf(name), made, "and no second value was made");
}

const suspended = ({ metadata }: Job) =>
  kubectl("patch", "job", metadata.name, "--type=merge", "--patch", '{"spec":{"suspend":true}}');

t.test("an operator that is killed while a Job runs goes on with that Job", async (t) => {
  await killed(t, "killed", async () => {});
});

t.test("so it does where the Job was made and its Secret was not", async (t) => {
  await killed(t, "unequipped", async (job) => {
    await suspended(job);
    await bed.client.delete(SECRETS, { namespace: NAMESPACE, name: job.metadata.name });
  });
});

t.test("and where the Job has its Secret and was not let go", async (t) => {
  await killed(t, "unstarted", suspended);
});

t.test("a Job of somebody else under the name is not believed, though it has succeeded", async (t) => {
  const before = await born("foreign");
  await again("foreign");
  const { metadata } = await running("foreign");
  await bed.operator.stop("SIGKILL");
  await kubectl("delete", "job", metadata.name);
  await kubectl("create", "job", metadata.name, "--image=registry.example/other");
  await succeed({ metadata });
  await kubectl("wait", "--for=condition=complete", `job/${metadata.name}`, "--timeout=60s");
  await bed.startOperator();
  t.match(await pending("foreign", "RotationFailed"), /not this bundle's, and is not believed/);
  t.strictSame(await dataOf("foreign"), before);
  await kubectl("delete", "job", metadata.name);
  await succeed(await running("foreign"));
  await eventually(async () => (await dataOf("foreign"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"], LONG);
});

t.test("an operator that may run no jobs publishes no new value, and one that may goes on", async (t) => {
  const before = await born("disabled");
  await bed.operator.stop();
  await bed.startOperator(["--rotation-jobs", "off"]);
  await again("disabled");
  const { status } = await bed.settled("RotationDisabled", "disabled");
  t.match(readyOf(status)?.message, /operator.rotationJobs/);
  t.strictSame(await dataOf("disabled"), before);
  const { status: stays } = await bed.bundle("first");
  t.equal(readyOf(stays)?.reason, "Synced", "what has nothing new goes on");
  await bed.operator.stop();
  await bed.startOperator();
  await succeed(await running("disabled"));
  await eventually(async () => (await dataOf("disabled"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"], LONG);
});

t.test("without its rotation a bundle's new values are published at once", async () => {
  const before = await born("removed", PASSWORD, { image: ROTATION.image });
  await again("removed");
  await running("removed");
  await bed.applyBundle(withHeader(await stored("removed"), { rotation: undefined }, bed.writing()));
  await eventually(async () => (await dataOf("removed"))["DB_PASSWORD_OLD"] === before["DB_PASSWORD"], LONG);
});

t.test("nothing of a value is in a log, an Event, a Job, a pod or a bundle", async (t) => {
  const before = await born("canary");
  await again("canary");
  const job = await running("canary");
  const files = await mounted(job);
  const values = [ADMIN, files["new/DB_PASSWORD"] ?? "", before["DB_PASSWORD"] ?? ""];
  const seen: unknown[] = [bed.operator.lines, bed.keyring.lines];
  for (const resource of [EVENTS, JOBS, PODS, ZOPP_SECRETS])
    seen.push((await bed.client.list(resource, { namespace: NAMESPACE })).items);
  const text = JSON.stringify(seen);
  t.match(text, job.metadata.name, "the place where one could be");
  for (const value of values) {
    t.ok(value.length > 30);
    t.notOk(text.includes(value) || text.includes(Buffer.from(value).toString("base64")));
  }
});
