// Lays out what the bare client needs (raw.ts), lets it write, and gives what it reached.
// The bundles lie there already, as they do for the operator.
import { IN_FLIGHT, type RawRate, writeRaw } from "./raw.js";
import { layOut, nameOf, valuesOf, type World } from "./world.js";

/** How the bare client writes. */
export interface RawOptions {
  readonly inFlight: number;
  readonly count: number;
  /** Another address of the API server. */
  readonly origin?: string | undefined;
  /** What bundles and Secrets hold. */
  readonly values?: (mark: string) => Readonly<Record<string, string>>;
}

/** Lays out so many X-Wing bundles in a namespace of their own and writes their Secrets and statuses. */
export async function rawLimit(
  world: World,
  namespace: string,
  { inFlight, count, origin, values = valuesOf }: RawOptions,
): Promise<RawRate> {
  const { controlPlane } = world.testbed;
  await layOut(world, "xwing", namespace, count, { values });
  const names = Array.from({ length: count }, (_, at) => nameOf(at));
  const data = Object.fromEntries(
    Object.entries(values("raw")).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  const { url, ca, token } = controlPlane;
  return writeRaw({ origin: origin ?? url, ca, token, namespace, names, data, status: statusOf }, inFlight);
}

/** How many in flight are best, tried on so many bundles each, and told. */
export async function bestInFlight(world: World, count: number, say: (text: string) => void): Promise<number> {
  const tried = new Map<number, number>();
  for (const inFlight of IN_FLIGHT) {
    const { bundlesPerSecond } = await rawLimit(world, `xwing-raw-tried-${inFlight}`, { inFlight, count });
    tried.set(inFlight, bundlesPerSecond);
  }
  const best = [...tried].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  say(`bare client: ${[...tried].map(([n, rate]) => `${n} in flight ${rate.toFixed(0)}/s`).join(", ")}; ${best} it is`);
  return best;
}

/** As large as the operator's. */
function statusOf(name: string): object {
  const at = "2026-11-23T10:11:12Z";
  const condition = (type: string) => ({
    type,
    status: "True",
    observedGeneration: 1,
    lastTransitionTime: at,
    reason: "Synced",
    message: `the Secret ${name} holds 5 keys`,
  });
  const digest = "0".repeat(64);
  return {
    observedGeneration: 1,
    digest,
    policy: [digest, digest],
    entries: 5,
    target: { name, uid: "00000000-0000-0000-0000-000000000000", resourceVersion: "1" },
    conditions: ["Ready", "Verified", "Synced"].map(condition),
    history: [{ digest, time: at, result: "Synced" }],
  };
}
