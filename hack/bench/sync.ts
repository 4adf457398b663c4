// First sync and restart: how fast the operator and the keyring deliver what lies there, and what it costs them.
// Time counts from the operator's own "started" to the last status that says Ready.
import { setTimeout as sleep } from "node:timers/promises";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { ZOPP_SECRETS } from "../../operator/kube/resources.js";
import type { Child } from "../child.js";
import { eventually } from "../eventually.js";
import type { Testbed } from "../testbed.js";
import { quiet, readMetrics, versions } from "../testbed.look.js";
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

const PAGE = 500;
const STARTED = '"msg":"started"';

/** Starts the operator on a namespace of `count` bundles and waits until all are Ready; the operator keeps running. */
export async function firstSync(world: World, namespace: string, count: number): Promise<Synced> {
  const { testbed } = world;
  const [writesBefore, linesBefore] = [await writesOf(testbed.ports.keyringMetrics), testbed.keyring.lines.length];
  const keyringBefore = await cpuMs(testbed.keyring.pid);
  const starting = testbed.startOperator(["--namespaces", namespace]);
  const operatorBefore = await cpuAtStart(testbed);
  await starting;
  const finished = await whenReady(testbed, namespace, count);
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
async function whenReady(testbed: Testbed, namespace: string, count: number): Promise<number> {
  await eventually(
    async () => (await readMetrics(testbed.ports.metrics)).sum("workqueue_adds_total", { name: "zoppsecret" }) >= count,
  );
  const finished = await quiet(testbed, "zoppsecret");
  const ready = await readyIn(testbed, namespace);
  if (ready !== count) throw new Error(`${count - ready} of ${count} bundles in ${namespace} did not become ready`);
  return finished;
}

/** Counts the bundles that are ready, page by page: ten thousand are more than one answer may hold. */
async function readyIn({ client }: Testbed, namespace: string): Promise<number> {
  let [ready, next] = [0, ""];
  do {
    const page = await client.list<ZoppSecret>(ZOPP_SECRETS, { namespace, limit: PAGE, continue: next || undefined });
    ready += page.items.filter(isReady).length;
    next = page.metadata.continue ?? "";
  } while (next !== "");
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
export async function restart({ testbed }: World, namespace: string): Promise<Restarted> {
  await testbed.operator.stop();
  const [before, opened] = [await versions(testbed, namespace), opens(testbed.keyring)];
  const begun = performance.now();
  await testbed.startOperator(["--namespaces", namespace]);
  const readyMs = performance.now() - begun;
  await quiet(testbed);
  const after = await versions(testbed, namespace);
  const writes = [...after].filter(([name, version]) => before.get(name) !== version).length;
  return { writes, opens: opens(testbed.keyring) - opened, readyMs };
}

function opens(keyring: Child): number {
  return keyring.lines.filter((line) => line.includes('"action":"open"')).length;
}
