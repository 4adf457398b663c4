// The raw limit: the same two writes per bundle that the operator makes, by a bare HTTP client.
// No informer, no queue, no cryptography: what is left is what this API server and machine can take.
import { Pool } from "undici";

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

/** Writes a Secret and a status for every name; gives bundles per second. */
export async function writeRaw(target: RawTarget, inFlight: number): Promise<number> {
  const pool = new Pool(target.origin, { connections: inFlight, pipelining: 1, connect: { ca: target.ca } });
  const waiting = [...target.names];
  const started = performance.now();
  const worker = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await writeOne(pool, target, name);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  return target.names.length / seconds;
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
  const answer = await pool.request({
    method: "PATCH",
    path: `${path}?fieldManager=raw&force=true`,
    headers: { authorization: `Bearer ${target.token}`, "content-type": "application/apply-patch+yaml" },
    body: JSON.stringify(body),
  });
  await answer.body.dump();
  if (answer.statusCode >= 300)
    throw new Error(`the bare client's write of ${path} was answered with ${answer.statusCode}`);
}
