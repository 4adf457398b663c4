// Two keyrings with one seed where segments are deleted, as the chart has them: one serves, the other stands by.
import t from "tap";
import { newSigningKey } from "../../crds/crypto/identity.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { silentLog } from "../../operator/kube/observe.js";
import { ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { saidAt } from "../child.js";
import { startTestbed } from "../testbed.js";
import { readMetrics, readText } from "../testbed.look.js";
import { Operators } from "./operators.js";
import { ELECTING, judgeLog, Keyrings, recorded, type Standing } from "./standing-by.js";

const bed = await startTestbed({
  apart: true,
  env: ELECTING,
  namespaces: ["shop-prod", "shop-handover", "shop-killed"],
});
await bed.keyring.stop();
let starts = 1;
const keyrings = new Keyrings(bed);
const operators = new Operators(bed);
t.teardown(async () => {
  await keyrings.stop();
  await bed.stop();
});

async function digestsIn(namespace: string): Promise<string[]> {
  const { items } = await bed.client.list<ZoppSecret>(ZOPP_SECRETS, { namespace });
  return items.map(({ status }) => status?.digest ?? "");
}

const says = ({ child }: Standing, what: string) => child.lines.some((line) => line.includes(what));

t.test(
  "of two keyrings one serves; the other says that it stands by, does not listen, and writes nothing",
  async (t) => {
    const first = await keyrings.start();
    starts += 1;
    t.equal(await keyrings.serving(), first);
    const second = await keyrings.start(true);
    t.equal(await readText(second.ports.keyringHealth, "/startz"), "ok", "a rollout may go on");
    t.equal(await readText(second.ports.keyringHealth, "/readyz"), "StandingBy");
    t.ok(says(second, "another one leads: standing by"));
    const refused = await fetch(`http://127.0.0.1:${second.ports.keyring}`).catch((error) => error.cause.code);
    t.equal(refused, "ECONNREFUSED");
    await bed.applyBundle(bed.seal({ A: "one" }));
    await bed.settled("Synced");
    const numbers = await readMetrics(second.ports.keyringMetrics);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"])
      t.equal(numbers.sum("rest_client_requests_total", { method }), 0, method);
    t.equal(await second.child.stop(), 0, "it ends well");
  },
);

t.test("one that is asked to end hands over: no change is refused, no record lost, and no log forked", async (t) => {
  const serving = await keyrings.serving();
  const next = await keyrings.start();
  await operators.underLoad(t, "handover", async () => {
    t.equal(await serving.child.stop(), 0);
    t.equal(await keyrings.serving(), next);
    starts += 1;
  });
  t.ok(says(serving, "gave the lease up"));
  t.notOk(says(next, "LogForked"));
  t.comment(
    `from the last answer to the next one's: ${saidAt(next.child, "serving") - saidAt(serving.child, "gave the lease up")} ms`,
  );
  await judgeLog(t, bed, starts, await digestsIn("shop-handover"));
});

t.test("kill -9 of the one that serves: the other goes on where it was, when the Lease has run out", async (t) => {
  const serving = await keyrings.serving();
  const next = await keyrings.start();
  await operators.underLoad(t, "killed", async () => {
    await serving.child.stop("SIGKILL");
    t.equal(await keyrings.serving(), next);
    starts += 1;
  });
  t.notOk(says(next, "LogForked"));
  await judgeLog(t, bed, starts, await digestsIn("shop-killed"));
});

t.test("one that was paused for longer than its Lease releases and records nothing when it wakes up", async (t) => {
  const paused = await keyrings.serving();
  const standby = await keyrings.start(true);
  const client = connectKeyring({
    address: `127.0.0.1:${paused.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: newSigningKey(),
    token: () => bed.token(),
    log: silentLog,
    timeoutMs: 30_000,
  });
  t.teardown(() => client.close());
  const open = (name: string) => {
    const { metadata, spec } = bed.seal({ A: "x" }, { name });
    return client.open({ namespace: metadata.namespace, name, spec });
  };
  t.equal((await open("before")).ok, true, "it knows the caller");
  process.kill(paused.child.pid, "SIGSTOP");
  const asked = open("paused").then(
    ({ ok }) => (ok ? "released" : "refused"),
    () => "no answer",
  );
  t.equal(await keyrings.serving(standby), standby);
  starts += 1;
  const before = await recorded(bed);
  process.kill(paused.child.pid, "SIGCONT");
  t.equal(await paused.child.stopped(), 1);
  t.ok(says(paused, '"code":"NotLeading"'), "it says why it ends");
  t.equal(await asked, "no answer", "what it was asked meanwhile stays unanswered");
  t.strictSame(await recorded(bed), before, "it wrote nothing");
});
