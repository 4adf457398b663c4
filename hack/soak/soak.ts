// Many changes a second for as long as is asked, on one zopp: whether it keeps up, and keeps no more than it did.
// The changes and what became of them are load.ts'.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gcOptions } from "../bench/gc.options.js";
import { renewToken } from "../control-plane/operator-pod.js";
import { type Kept, kept } from "../faults/footprint.js";
import type { Verdict } from "../faults/verdict.js";
import { Load, type Outcome } from "../load.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { ask, type Metrics, quiet, readMetrics } from "../testbed.look.js";
import { growth, isFlat, type Sample } from "./flat.js";

const NAMESPACE = "shop-soak";
const BUNDLES = 200;
const MINUTE_MS = 60_000;
/** So many samples at least; once a minute at most. */
const SAMPLES = 20;
/** Few segments stay, so that what a keyring remembers of those that do is all there long before the end. */
const AUDIT_KEEP = "16";
/** A minute of history is enough, and an hour's at this rate would not fit into etcd. */
const COMPACTED = ["--etcd-compaction-interval=1m"];
const ALLOWED = {
  heapMiB: { share: 0.1, noise: 4 },
  residentMiB: { share: 0.1, noise: 12 },
  handles: { share: 0.1, noise: 3 },
} as const;

/** What is run. */
export interface SoakOptions {
  readonly minutes: number;
  /** Changes a second. */
  readonly rate: number;
  say(line: string): void;
}

interface Look {
  readonly atMs: number;
  readonly processes: Readonly<Record<"operator" | "keyring", Kept>>;
  readonly depth: number;
  readonly oldestS: number;
  /** What the operator says about itself: which change, if any, is stuck. */
  readonly live: string;
  readonly changes: number;
  readonly applied: number;
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
  return [...judgeLooks(looks), queue, judgeChanges(outcome, madeS, failed), await judgeProbes(bed)];
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

function waiting(numbers: Metrics): Pick<Look, "depth" | "oldestS"> {
  return { depth: numbers.sum("workqueue_depth"), oldestS: numbers.sum("zopp_oldest_pending_seconds") };
}

function lineOf({ atMs, processes, depth, oldestS, changes, applied }: Look): string {
  const of = ([name, { residentMiB, heapMiB, handles }]: [string, Kept]): string =>
    `${name} ${residentMiB.toFixed(0)} MiB, heap ${heapMiB.toFixed(1)} MiB, ${handles} handles`;
  const minute = `${(atMs / MINUTE_MS).toFixed(1)} min`.padStart(9);
  const all = Object.entries(processes).map(of).join("; ");
  return `${minute} ${changes} changes, ${applied} seen; ${all}; ${depth} wait, the oldest for ${oldestS.toFixed(1)} s`;
}

function judgeLooks(looks: readonly Look[]): readonly Verdict[] {
  return (["operator", "keyring"] as const).map((name) => {
    const wrong: string[] = [];
    const said = (Object.keys(ALLOWED) as (keyof typeof ALLOWED)[]).map((what) => {
      const samples: Sample[] = looks.map(({ atMs, processes }) => ({ atMs, value: processes[name][what] }));
      const { grew, mean } = growth(samples);
      const text = `${what} ${mean.toFixed(1)}, grown by ${grew.toFixed(1)}`;
      if (!isFlat(samples, ALLOWED[what])) wrong.push(text);
      return text;
    });
    return { title: `memory and handles of the ${name} are flat after the warm-up`, wrong, said: said.join("; ") };
  });
}

/** What speaks against an empty queue when it has had its time. */
async function leftIn(bed: Testbed): Promise<string> {
  return quiet(bed).then(() => "", String);
}

function judgeQueue(looks: readonly Look[], left: string): Verdict {
  const wrong = [...looks.map(({ live }) => live), left].filter((problem) => problem !== "");
  const [depth, longest] = [looks.map((look) => look.depth), looks.map(({ oldestS }) => oldestS)];
  const said = `at most ${Math.max(...depth)} waited, the oldest for ${Math.max(...longest).toFixed(1)} s`;
  return { title: "the queue was never stuck, and is empty at the end", wrong, said };
}

function judgeChanges(outcome: Outcome, seconds: number, failed: readonly string[]): Verdict {
  const { changes, applied, repeated, wrong, lost, longestMs } = outcome;
  const of = (what: string, all: readonly string[]): readonly string[] => all.map((each) => `${what}: ${each}`);
  return {
    title: "no change was lost, applied twice or applied in the wrong order",
    wrong: [...failed, ...wrong, ...of("lost", lost), ...of("written twice", repeated)],
    said: `${(changes / seconds).toFixed(1)} changes a second, ${changes} in all, ${applied} seen one by one, the longest wait ${longestMs} ms`,
  };
}

async function judgeProbes({ ports }: Testbed): Promise<Verdict> {
  const asked = [ports.health, ports.keyringHealth].flatMap((port) =>
    ["/healthz", "/readyz"].map((path) => problemOf(port, path).catch(String)),
  );
  const wrong = (await Promise.all(asked)).filter((problem) => problem !== "");
  return { title: "both processes are alive and ready at the end", wrong, said: "" };
}
