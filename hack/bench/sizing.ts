// What a cluster of so many bundles needs: the figures behind the chart's requests and limits.
// Each size has an API server, a keyring and an operator of its own, so that none pays for another.
import { must } from "../control-plane/kubectl.js";
import type { Testbed } from "../testbed.js";
import { readMetrics } from "../testbed.look.js";
import { auditSeconds } from "./audit.js";
import { rounded } from "./figures.js";
import { cpuMs, peakMiB } from "./process.js";
import { firstSync, statesKept } from "./sync.js";
import { layOut, startWorld } from "./world.js";

/** The most memory a process had, and the CPU time it used, start included. */
export interface Need {
  readonly peakMiB: number;
  readonly cpuSeconds: number;
}

/** One row of the sizing table: a first sync of X-Wing bundles of five values. */
export interface Size {
  readonly bundles: number;
  readonly seconds: number;
  readonly operator: Need;
  readonly keyring: Need;
  /** By which etcd's database grew, bundles, Secrets, ledger, log and five minutes of history included. */
  readonly etcdMiB: number;
  /** Requests of both processes to the API server. */
  readonly apiRequests: number;
  /** The audit log's share of all writes, and of the time at most. */
  readonly auditOfWrites: number;
  readonly auditOfTime: number;
}

/** Measures a first sync of so many bundles from nothing; the keeping of their states is in all figures but the seconds. */
export async function sizeFor(bundles: number): Promise<Size> {
  const world = await startWorld();
  const { testbed } = world;
  try {
    const namespace = "xwing-sizing";
    const before = await etcdMiB(testbed);
    await layOut(world, "xwing", namespace, bundles);
    const asked = await requests(testbed.ports.keyringMetrics);
    const { seconds, auditOfWrites, lines } = await firstSync(world, [namespace], bundles);
    await statesKept(world, bundles);
    const size = {
      bundles,
      seconds: rounded(seconds, 1),
      operator: await needOf(testbed.operator.pid),
      keyring: await needOf(testbed.keyring.pid),
      etcdMiB: rounded((await etcdMiB(testbed)) - before, 1),
      apiRequests: (await requests(testbed.ports.metrics)) + (await requests(testbed.ports.keyringMetrics)) - asked,
      auditOfWrites: rounded(auditOfWrites, 4),
    };
    return { ...size, auditOfTime: rounded((await auditSeconds(world, `audit-${namespace}`, lines)) / seconds, 4) };
  } finally {
    await testbed.stop();
  }
}

async function needOf(pid: number): Promise<Need> {
  return { peakMiB: rounded(await peakMiB(pid), 0), cpuSeconds: rounded((await cpuMs(pid)) / 1000, 1) };
}

async function requests(port: number): Promise<number> {
  return (await readMetrics(port)).sum("rest_client_requests_total");
}

async function etcdMiB({ controlPlane }: Testbed): Promise<number> {
  const text = await must(controlPlane.kubectl(["get", "--raw", "/metrics"]));
  const bytes = /^apiserver_storage_size_bytes\{.*\} (\S+)$/m.exec(text)?.[1];
  if (bytes === undefined) throw new Error("the API server does not say how large its storage is");
  return Number(bytes) / 2 ** 20;
}
