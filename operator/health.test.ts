// Probes and metrics as kubelet and Prometheus see them.

import { networkInterfaces } from "node:os";
import { Gauge, Registry } from "prom-client";
import t from "tap";
import { serveHealth, serveMetrics } from "./health.js";

const LOOPBACK = { port: 0, host: "127.0.0.1" };

async function get(port: number, path: string): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return [response.status, await response.text()];
}

t.test("probes answer ok, or 503 and why; other paths are not found", async (t) => {
  let reason: string | null = null;
  const health = await serveHealth({ ...LOOPBACK, live: () => reason, ready: () => "NoPolicy: not yet" });
  t.teardown(() => health.close());
  t.same(await get(health.port, "/healthz"), [200, "ok"]);
  t.same(await get(health.port, "/healthz?verbose"), [200, "ok"]);
  t.same(await get(health.port, "/readyz"), [503, "NoPolicy: not yet"]);
  reason = "secret: shop/api has been worked on for 130 s";
  t.same(await get(health.port, "/healthz"), [503, reason]);
  for (const path of ["/", "/metrics", "/constructor", "/__proto__"]) t.equal((await get(health.port, path))[0], 404);
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

t.test("without an address it answers on all of them, as kubelet asks by the pod's own", async (t) => {
  const health = await serveHealth({ port: 0, live: () => null, ready: () => null });
  t.teardown(() => health.close());
  for (const host of ["127.0.0.1", ...(hasIpv6 ? ["[::1]"] : [])])
    t.equal((await fetch(`http://${host}:${health.port}/healthz`)).status, 200, host);
});

t.test("whoever waits for the start waits for what says so, else for life", async (t) => {
  let started: string | null = "Starting";
  const probes = { ...LOOPBACK, live: () => null, ready: () => "NoPolicy" };
  const [one, other] = [await serveHealth({ ...probes, started: () => started }), await serveHealth(probes)];
  t.teardown(() => Promise.all([one.close(), other.close()]));
  t.same(await get(one.port, "/startz"), [503, "Starting"]);
  t.same(await get(other.port, "/startz"), [200, "ok"]);
  started = null;
  t.same(await get(one.port, "/startz"), [200, "ok"]);
});

t.test("metrics are served as text, and a collector that throws shows nothing of its error", async (t) => {
  const registry = new Registry();
  const gauge = new Gauge({ name: "zopp_test", help: "x", registers: [registry] });
  gauge.set(3);
  const metrics = await serveMetrics({ ...LOOPBACK, registry });
  t.teardown(() => metrics.close());
  const [status, text] = await get(metrics.port, "/metrics");
  t.equal(status, 200);
  t.match(text, /^zopp_test 3$/m);
  t.equal((await get(metrics.port, "/healthz"))[0], 404);
  new Gauge({
    name: "zopp_broken",
    help: "x",
    registers: [registry],
    collect: () => {
      throw new Error("hunter2");
    },
  });
  t.same(await get(metrics.port, "/metrics"), [500, "cannot collect"]);
});

t.test("a port that is taken is said, and close gives it back", async (t) => {
  const options = { ...LOOPBACK, live: () => null, ready: () => null };
  const first = await serveHealth(options);
  await t.rejects(serveHealth({ ...options, port: first.port }), { message: /port \d+/ });
  await first.close();
  const second = await serveHealth({ ...options, port: first.port });
  await second.close();
});
