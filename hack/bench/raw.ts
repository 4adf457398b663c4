// The raw limit: the same two writes per bundle that the operator makes, by a bare HTTP client.
// No informer, no queue, no cryptography: what is left is what this API server and machine can take.
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import type { Latency } from "./change.js";
import { percentile } from "./figures.js";

/** Where the bare client writes, and what it puts there. */
export interface RawTarget {
  readonly origin: string;
  readonly ca: string;
  readonly token: string;
  readonly namespace: string;
  /** Names of ZoppSecrets that exist already. */
  readonly names: readonly string[];
  /** The Secret's data: base64 by key, as large as the operator's. */
  readonly data: Readonly<Record<string, string>>;
  /** A status as large as the operator's. */
  status(name: string): object;
}

/** How many requests a bare client keeps in flight; the best of these is the limit. */
export const IN_FLIGHT = [8, 16, 32, 64] as const;

/** What the bare client reached: bundles per second, and how long the two writes of one took. */
export interface RawRate {
  readonly bundlesPerSecond: number;
  readonly latency: Latency;
}

/** Writes a Secret and a status for every name. */
export async function writeRaw(target: RawTarget, inFlight: number): Promise<RawRate> {
  const pool = new Pool(target.origin, { connections: inFlight, pipelining: 1, connect: { ca: target.ca } });
  const waiting = [...target.names];
  const took: number[] = [];
  const started = performance.now();
  const worker = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const begun = performance.now();
      await writeOne(pool, target, name);
      took.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  const latency = { p50Ms: percentile(took, 50), p99Ms: percentile(took, 99) };
  return { bundlesPerSecond: target.names.length / seconds, latency };
}

async function writeOne(pool: Pool, target: RawTarget, name: string): Promise<void> {
  const metadata = { name, namespace: target.namespace };
  const labels = { "app.kubernetes.io/managed-by": "zopp" };
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { ...metadata, labels },
    type: "Opaque",
    data: target.data,
  };
  await apply(pool, target, `/api/v1/namespaces/${target.namespace}/secrets/${name}`, secret);
  const status = { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppSecret", metadata, status: target.status(name) };
  await apply(
    pool,
    target,
    `/apis/zopp.dev/v1alpha1/namespaces/${target.namespace}/zoppsecrets/${name}/status`,
    status,
  );
}

async function apply(pool: Pool, target: RawTarget, path: string, body: object): Promise<void> {
  for (;;) {
    const {
      statusCode,
      headers,
      body: answer,
    } = await pool.request({
      method: "PATCH",
      path: `${path}?fieldManager=raw&force=true`,
      headers: { authorization: `Bearer ${target.token}`, "content-type": "application/apply-patch+yaml" },
      body: JSON.stringify(body),
    });
    await answer.dump();
    if (statusCode < 300) return;
    if (statusCode !== 429) throw new Error(`the bare client's write of ${path} was answered with ${statusCode}`);
    await sleep(Number(headers["retry-after"] ?? 1) * 1000);
  }
}
