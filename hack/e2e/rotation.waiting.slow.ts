// New values wait, and their Job cannot be had: the API server refuses Jobs, or fails; or a Job of earlier values is at work while a
// rule is added. The Secret goes on with what it held.
import t from "tap";
import type { GenerateRule } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { eventually } from "../eventually.js";
import type { Asked, FaultingProxy } from "../faulting-proxy.js";
import { withHeader } from "../fixtures.js";
import { kubectlOf } from "../testbed.look.js";
import { startProxiedTestbed } from "../testbed.proxied.js";
import { type Files, LONG, PASSWORD, RotationWorld } from "./rotation.world.js";

let proxy: FaultingProxy | undefined;
const world = await RotationWorld.start(async (options) => {
  const started = await startProxiedTestbed(t, { ...options, keyringDirect: true });
  proxy = started.proxy;
  return started.bed;
});
const { bed } = world;

const kubectl = kubectlOf(bed);
const TOKEN: GenerateRule = { version: 1, kind: "uuid", previous: "TOKEN_OLD" };

/** The Secret is deleted, and comes back with exactly this, while its bundle is Ready. */
async function repaired(name: string, before: Files): Promise<void> {
  await kubectl("delete", "secret", name);
  await eventually(async () => JSON.stringify(await world.dataOf(name)) === JSON.stringify(before), LONG);
  await eventually(async () => readyOf((await bed.bundle(name)).status)?.status === "True", LONG);
}

const REFUSALS = [
  {
    title: "where it may not even look at Jobs",
    name: "denied",
    spoils: ({ path }: Asked) => /\/jobs(\/|$)/.test(path),
    answer: { status: 403, reason: "Forbidden" },
    said: "RotationFailed",
  },
  {
    title: "where the API server fails to make one",
    name: "failing",
    spoils: ({ method, path }: Asked) => method === "POST" && path.endsWith("/jobs"),
    answer: { status: 500, reason: "InternalError" },
    said: "RotationPending",
  },
] as const;

for (const { title, name, spoils, answer, said } of REFUSALS) {
  t.test(`an operator keeps the Secret of before, Ready and repaired, ${title}; then it goes on`, async (t) => {
    const before = await world.born(name);
    t.teardown(() => proxy?.lift());
    proxy?.fault((asked) => (spoils(asked) ? { kind: "refuse", ...answer } : undefined));
    await world.again(name);
    const told = async () => (await world.pending(name, said)).includes(`${answer.status} ${answer.reason}`);
    await eventually(told, LONG);
    t.equal(readyOf((await bed.bundle(name)).status)?.status, "True");
    t.strictSame(await world.dataOf(name), before);
    await repaired(name, before);
    proxy?.lift();
    const job = await world.running(name);
    const made = (await world.mounted(job))["new/DB_PASSWORD"];
    await world.succeed(job);
    await eventually(async () => (await world.dataOf(name))["DB_PASSWORD"] === made, LONG);
    t.equal((await world.dataOf(name))["DB_PASSWORD_OLD"], before["DB_PASSWORD"]);
  });
}

t.test(
  "a rule that is added while a Job runs has nothing in the Secret, which is repaired, before its own Job",
  async (t) => {
    const before = await world.born("added");
    await world.again("added");
    const first = await world.running("added");
    const generate = { DB_PASSWORD: { ...PASSWORD, version: 2 }, TOKEN };
    await bed.applyBundle(withHeader(await world.stored("added"), { generate }, bed.writing()));
    const isMade = async () => (await bed.bundle("added")).status?.generated?.["TOKEN"];
    await eventually(isMade, { ...LONG, message: "the added rule has a value" });
    await repaired("added", before);
    t.equal((await bed.bundle("added")).status?.entries, Object.keys(before).length);
    t.match(await world.pending("added", "RotationPending"), `the Job ${first.metadata.name}`);
    await world.succeed(first);
    const second = await eventually(async () => {
      const next = await world.running("added");
      return next.metadata.name !== first.metadata.name && next;
    }, LONG);
    await repaired("added", before);
    const { "new/TOKEN": token = "" } = await world.mounted(second);
    t.match(token, /^[-0-9a-f]{36}$/);
    await world.succeed(second);
    await eventually(async () => (await world.dataOf("added"))["TOKEN"] === token, LONG);
  },
);
