// First sync and restart: how fast the operator and the keyring deliver what lies there, and what it costs them.
// Time counts from the operator's own "started" to the last status that says Ready.
import { setTimeout as sleep } from "node:timers/promises";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { ZOPP_SECRETS } from "../../operator/kube/resources.js";
import type { Child } from "../child.js";
import { eventually } from "../eventually.js";
import type { Testbed } from "../testbed.js";
import { everyObject, quiet, readMetrics, versions } from "../testbed.look.js";
import { writesOf } from "./audit.js";
import { cpuMs } from "./process.js";
import type { World } from "./world.js";

/** What a first sync took. */
export interface Synced {
  readonly bundlesPerSecond: number;
  readonly operatorMs: number;
  readonly keyringMs: number;
  readonly seconds: number;
  /** The audit log's share of all writes. */
  readonly auditOfWrites: number;
  /** What the keyring said meanwhile, its records among it. */
  readonly lines: readonly string[];
}

/** A bundle takes a busy machine no longer. */
const MS_A_BUNDLE = 60;
/** A smaller number of bundles waits as long as so many. */
const LEAST_WAITED_FOR = 5_000;
const STARTED = '"msg":"started"';

/** Starts the operator on namespaces of `count` bundles and waits until all are Ready; the operator keeps running. */
export async function firstSync(
  world: World,
  namespaces: readonly string[],
  count: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Synced> {
  const { testbed } = world;
  const [writesBefore, linesBefore] = [await writesOf(testbed.ports.keyringMetrics), testbed.keyring.lines.length];
  const keyringBefore = await cpuMs(testbed.keyring.pid);
  const starting = testbed.startOperator(["--namespaces", namespaces.join(",")], env);
  const operatorBefore = await cpuAtStart(testbed);
  await starting;
  const finished = await whenReady(testbed, namespaces, count);
  const operatorMs = (await cpuMs(testbed.operator.pid)) - operatorBefore;
  const keyringMs = (await cpuMs(testbed.keyring.pid)) - keyringBefore;
  // the keyring writes nothing but its log, and snapshots of what is in it
  const audited = (await writesOf(testbed.ports.keyringMetrics)) - writesBefore;
  const written = audited + (await writesOf(testbed.ports.metrics));
  const seconds = (finished - startedAt(testbed.operator)) / 1000;
  return {
    seconds,
    auditOfWrites: audited / written,
    lines: testbed.keyring.lines.slice(linesBefore),
    bundlesPerSecond: count / seconds,
    operatorMs: operatorMs / count,
    keyringMs: keyringMs / count,
  };
}

/** How an operator keeps the states of what it has just synced for the first time. */
export interface Kept {
  readonly statesPerSecond: number;
  readonly operatorMs: number;
}

/** Waits, right after a first sync, until the states of its `count` bundles are kept as well. */
export async function statesKept({ testbed }: World, count: number): Promise<Kept> {
  const [begun, before] = [performance.now(), await cpuMs(testbed.operator.pid)];
  const kept = async () => (await readMetrics(testbed.ports.metrics)).sum("zopp_history_total", { result: "kept" });
  const already = await kept();
  await eventually(async () => (await kept()) >= count, {
    timeoutMs: 300_000,
    message: "the states of all bundles are kept",
  });
  const states = count - already;
  return {
    statesPerSecond: states / ((performance.now() - begun) / 1000),
    operatorMs: ((await cpuMs(testbed.operator.pid)) - before) / states,
  };
}

/** The CPU time that the operator's process took to come up: it is no part of the work. */
async function cpuAtStart(testbed: Testbed): Promise<number> {
  const before = currentPid(testbed);
  for (;;) {
    await sleep(2);
    const pid = currentPid(testbed);
    if (pid !== undefined && pid !== before && testbed.operator.lines.some((line) => line.includes(STARTED)))
      return cpuMs(pid);
  }
}

function currentPid(testbed: Testbed): number | undefined {
  return testbed.operator.running ? testbed.operator.pid : undefined;
}

/** When the operator said that its controllers run, in milliseconds since the epoch. */
export function startedAt(operator: Child): number {
  for (const line of operator.lines) {
    if (line.includes(STARTED)) return Date.parse((JSON.parse(line) as { time: string }).time);
  }
  throw new Error("the operator did not say that it started");
}

/**
 * Waits until the operator has nothing left to do, then checks that all bundles are Ready. Nothing but the operator
 * watches meanwhile: a watcher of ours would be work for the API server that the bare client does not have.
 */
async function whenReady(testbed: Testbed, namespaces: readonly string[], count: number): Promise<number> {
  await eventually(
    async () => (await readMetrics(testbed.ports.metrics)).sum("workqueue_adds_total", { name: "zoppsecret" }) >= count,
  );
  const finished = await quiet(testbed, "zoppsecret", Math.max(count, LEAST_WAITED_FOR) * MS_A_BUNDLE);
  const ready = await readyIn(testbed, namespaces);
  if (ready !== count) throw new Error(`${count - ready} of ${count} bundles did not become ready`);
  return finished;
}

/** Counts the bundles that are ready. */
export async function readyIn({ client }: Testbed, namespaces: readonly string[]): Promise<number> {
  let ready = 0;
  for (const namespace of namespaces) {
    for await (const bundle of everyObject<ZoppSecret>(client, ZOPP_SECRETS, { namespace })) {
      if (isReady(bundle)) ready += 1;
    }
  }
  return ready;
}

function isReady({ status }: ZoppSecret): boolean {
  return readyOf(status)?.status === "True";
}

/** What a restart with nothing changed did. */
export interface Restarted {
  /** Changed Secrets, bundles and Events. */
  readonly writes: number;
  /** Openings in the keyring's log. */
  readonly opens: number;
  readonly readyMs: number;
}

/** Stops the operator and starts it again on the same namespace. */
export async function restart(
  { testbed }: World,
  namespace: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Restarted> {
  await testbed.operator.stop();
  const [before, opened] = [await versions(testbed, namespace), opens(testbed.keyring)];
  const begun = performance.now();
  await testbed.startOperator(["--namespaces", namespace], env);
  const readyMs = performance.now() - begun;
  await quiet(testbed);
  const after = await versions(testbed, namespace);
  const writes = [...after].filter(([name, version]) => before.get(name) !== version).length;
  return { writes, opens: opens(testbed.keyring) - opened, readyMs };
}

/** How many bundles a keyring has opened. */
export function opens(keyring: Child): number {
  return keyring.lines.filter((line) => line.includes('"action":"open"')).length;
}
