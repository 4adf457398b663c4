// Many changes a second for as long as is asked, on one zopp, which is looked at meanwhile.
// The changes and what became of them are load.ts'; what is made of it all is judge.ts'.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gcOptions } from "../bench/gc.options.js";
import { renewToken } from "../control-plane/operator-pod.js";
import { type Kept, kept } from "../faults/footprint.js";
import type { Verdict } from "../faults/verdict.js";
import { Load } from "../load.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { ask, type Metrics, quiet, readMetrics } from "../testbed.look.js";
import { judgeChanges, judgeLooks, judgeQueue, judgeRate, type Look, MINUTE_MS, minutesOf } from "./judge.js";

const NAMESPACE = "shop-soak";
const BUNDLES = 200;
/** So many samples at least; once a minute at most. */
const SAMPLES = 20;
/** Few segments stay, so that what a keyring remembers of those that do is all there long before the end. */
const AUDIT_KEEP = "16";
/** A minute of history is enough, and an hour's at this rate would not fit into etcd. */
const COMPACTED = ["--etcd-compaction-interval=1m"];

/** What is run. */
export interface SoakOptions {
  readonly minutes: number;
  /** Changes a second. */
  readonly rate: number;
  say(line: string): void;
}

/** Runs it; the verdicts, of which each says what was wrong, if anything was. */
export async function runSoak(options: SoakOptions): Promise<readonly Verdict[]> {
  const env = { NODE_OPTIONS: gcOptions(), ZOPP_KEYRING_AUDIT_KEEP: AUDIT_KEEP };
  const bed = await startTestbed({ namespaces: [NAMESPACE], apiServerArgs: COMPACTED, env });
  try {
    return await soak(bed, options);
  } finally {
    await bed.stop();
  }
}

async function soak(bed: Testbed, { minutes, rate, say }: SoakOptions): Promise<readonly Verdict[]> {
  const failed: string[] = [];
  const fail = (what: string) => (error: unknown) => {
    failed.push(`${what}: ${String(error)}`);
    say(failed.at(-1) ?? "");
  };
  const load = await Load.begin(
    { client: bed.client, namespace: NAMESPACE, bundles: BUNDLES, writing: bed.writing() },
    fail("the witness lost sight"),
  );
  const [begun, lengthMs] = [performance.now(), minutes * MINUTE_MS];
  const since = (): number => performance.now() - begun;
  const changing = load.run(rate, () => since() >= lengthMs).catch(fail("values changed no more"));
  const looks: Look[] = [];
  const everyMs = Math.min(MINUTE_MS, lengthMs / SAMPLES);
  while (since() < lengthMs) {
    const due = everyMs * (looks.length + 1);
    const look = await lookAt(bed, load, since());
    looks.push(look);
    say(lineOf(look));
    // one lasts for an hour, and so does what the keyring gives for it
    await renewToken({ token: () => bed.token() }, join(bed.folder, "token"));
    await sleep(Math.max(0, due - since()));
  }
  await changing;
  const madeS = since() / 1000;
  const outcome = await load.end();
  const queue = judgeQueue(looks, await leftIn(bed));
  const changes = [judgeRate(outcome, madeS, rate), judgeChanges(outcome, failed)];
  return [...judgeLooks(looks), queue, ...changes, await judgeProbes(bed)];
}

async function lookAt(bed: Testbed, load: Load, atMs: number): Promise<Look> {
  const { ports } = bed;
  const [operator, keyring, numbers, live] = await Promise.all([
    kept(bed.operator.pid, ports.metrics),
    kept(bed.keyring.pid, ports.keyringMetrics),
    readMetrics(ports.metrics),
    problemOf(ports.health, "/healthz"),
  ]);
  const { changes, applied } = load;
  return { atMs, processes: { operator, keyring }, ...waiting(numbers), live, changes, applied };
}

/** What a probe complains about; nothing = all is well. */
async function problemOf(port: number, path: string): Promise<string> {
  const answer = await ask(port, path);
  return answer.ok ? "" : `${path}: ${await answer.text()}`;
}

/** Of bundles: states to be kept wait until nothing else does, which on a busy machine is long. */
function waiting(numbers: Metrics): Pick<Look, "depth" | "oldestS"> {
  const bundles = { name: "zoppsecret" };
  return {
    depth: numbers.sum("workqueue_depth", bundles),
    oldestS: numbers.sum("zopp_oldest_pending_seconds", bundles),
  };
}

function lineOf({ atMs, processes, depth, oldestS, changes, applied }: Look): string {
  const of = ([name, { residentMiB, heapMiB, handles }]: [string, Kept]): string =>
    `${name} ${residentMiB.toFixed(0)} MiB, heap ${heapMiB.toFixed(1)} MiB, ${handles} handles`;
  const minute = minutesOf(atMs).padStart(9);
  const all = Object.entries(processes).map(of).join("; ");
  return `${minute} ${changes} changes, ${applied} seen; ${all}; ${depth} wait, the oldest for ${oldestS.toFixed(1)} s`;
}

/** What speaks against an empty queue when it has had its time. */
async function leftIn(bed: Testbed): Promise<string> {
  return quiet(bed).then(() => "", String);
}

async function judgeProbes({ ports }: Testbed): Promise<Verdict> {
  const asked = [ports.health, ports.keyringHealth].flatMap((port) =>
    ["/healthz", "/readyz"].map((path) => problemOf(port, path).catch(String)),
  );
  const wrong = (await Promise.all(asked)).filter((problem) => problem !== "");
  return { title: "both processes are alive and ready at the end", wrong, said: "" };
}
