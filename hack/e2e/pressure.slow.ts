// A real API server behind a proxy that takes so many writes a second and answers 429 to the rest, as priority and fairness does.
import t from "tap";
import { eventually } from "../eventually.js";
import type { Asked } from "../faulting-proxy.js";
import { withValue } from "../fixtures.js";
import { quiet, readMetrics } from "../testbed.look.js";
import { startProxiedTestbed } from "../testbed.proxied.js";

const PER_SECOND = 40;
const BUNDLES = 250;
const PATIENCE_MS = 240_000;

const { bed, proxy } = await startProxiedTestbed(t, { kem: "x25519", keyringDirect: true });

/** Takes so many writes a second; the rest is told to come back in a second. */
function takes(perSecond: number) {
  let [left, since] = [perSecond, performance.now()];
  return ({ method }: Asked) => {
    if (method === "GET") return undefined;
    const now = performance.now();
    left = Math.min(perSecond, left + ((now - since) * perSecond) / 1000);
    since = now;
    if (left < 1) return { kind: "refuse", status: 429, reason: "TooManyRequests", retryAfter: 1 } as const;
    left -= 1;
    return undefined;
  };
}

const limit = async () => (await readMetrics(bed.ports.metrics)).sum("zopp_api_limit");
const secrets = () =>
  proxy.written
    .filter(({ path }) => /\/secrets\/many-/.test(path))
    .map(({ path }) => path.slice(path.lastIndexOf("/") + 1));

t.test(
  "a backlog under pressure: all of it arrives, few requests are sent in vain, and a person's change goes first",
  async (t) => {
    await bed.applyBundle(bed.seal({ A: "before" }));
    await bed.settled("Synced");
    await quiet(bed);
    const most = await limit();
    t.ok(most > 16, `${most} at once while nothing is wrong`);
    proxy.fault(takes(PER_SECOND));
    const before = proxy.written.length;
    const names = Array.from({ length: BUNDLES }, (_, at) => `many-${at}`);
    await Promise.all(names.map((name) => bed.applyBundle(bed.seal({ A: name }, { name }))));
    await eventually(async () => (await limit()) < most / 2, {
      timeoutMs: PATIENCE_MS,
      message: "fewer are sent at once",
    });
    const { metadata, status: _, ...rest } = await bed.bundle();
    const api = { ...rest, metadata: { name: metadata.name, namespace: "shop-prod" } } as typeof rest & {
      metadata: typeof metadata;
    };
    await bed.applyBundle(withValue(api, "A", "after", bed.writing()));
    await eventually(async () => (await bed.secret()).data?.["A"] === "after", { timeoutMs: PATIENCE_MS });
    const waiting = BUNDLES - new Set(secrets()).size;
    t.ok(waiting > 0, `${waiting} of ${BUNDLES} still waited when the change was there`);
    await eventually(() => new Set(secrets()).size === BUNDLES, { timeoutMs: PATIENCE_MS, message: "all arrive" });
    await quiet(bed);
    const [written, refused] = [proxy.written.length - before, proxy.spoilt];
    t.ok(refused > 0);
    t.ok(refused < written / 2, `${refused} were refused, ${written} were taken`);
    const found = await Promise.all(names.map((name) => bed.secret(name)));
    const wrong = found
      .filter(({ metadata, data }) => data?.["A"] !== metadata.name)
      .map(({ metadata }) => metadata.name);
    t.strictSame(wrong, [], "every value is right");
  },
);

t.test("when the pressure is gone, as many are sent as before", async (t) => {
  proxy.lift();
  for (const value of ["one", "two"]) {
    const names = Array.from({ length: BUNDLES }, (_, at) => `more-${value}-${at}`);
    await Promise.all(names.map((name) => bed.applyBundle(bed.seal({ A: value }, { name }))));
    await quiet(bed);
  }
  t.ok((await limit()) > 16);
});
