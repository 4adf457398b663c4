// The names that dashboards ask for are there and move.

import t from "tap";
import { keyringMetrics, operatorMetrics } from "./metrics.js";

const BUILD = { component: "operator", version: "1.2.3" } as const;

t.test("the operator's numbers carry controller-runtime's names and move with the hooks", async (t) => {
  const metrics = operatorMetrics(BUILD);
  t.teardown(() => metrics.registry.clear());
  metrics.client.requested("PATCH", "200", 0.01);
  metrics.informer.listed("zoppsecrets", 3);
  metrics.informer.failed("zoppsecrets", "watch", 410);
  metrics.queue.added("secret");
  metrics.queue.retried("secret");
  metrics.queue.started("secret", 0.5);
  metrics.queue.finished("secret", 0.25);
  metrics.controller.reconciled("secret", "error", 0.1);
  metrics.opened("ok", 0.002);
  metrics.applied(0.1);
  metrics.history("kept");
  const queue = { depth: 7, activeCount: 2, oldestWaitingMs: 1500, longestActive: { forMs: 250 } };
  metrics.watchQueue("secret", queue);
  metrics.watchElection("shop/a", () => true);
  metrics.watchElection("shop/b", () => false);
  const text = await metrics.registry.metrics();
  for (const expected of [
    'rest_client_requests_total{code="200",method="PATCH"} 1',
    'zopp_informer_failures_total{resource="zoppsecrets",phase="watch",status="410"} 1',
    'workqueue_adds_total{name="secret"} 1',
    'workqueue_retries_total{name="secret"} 1',
    'workqueue_queue_duration_seconds_sum{name="secret"} 0.5',
    'workqueue_work_duration_seconds_sum{name="secret"} 0.25',
    'workqueue_depth{name="secret"} 7',
    'leader_election_master_status{name="shop/a"} 1',
    'leader_election_master_status{name="shop/b"} 0',
    'controller_runtime_active_workers{controller="secret"} 2',
    'workqueue_longest_running_processor_seconds{name="secret"} 0.25',
    'zopp_oldest_pending_seconds{name="secret"} 1.5',
    'controller_runtime_reconcile_total{controller="secret",result="error"} 1',
    'controller_runtime_reconcile_errors_total{controller="secret"} 1',
    'controller_runtime_reconcile_time_seconds_count{controller="secret"} 1',
    'zopp_open_total{result="ok"} 1',
    "zopp_open_seconds_count 1",
    "zopp_apply_latency_seconds_count 1",
    'zopp_history_total{result="kept"} 1',
    'zopp_build_info{component="operator",version="1.2.3"',
    "nodejs_eventloop_lag_seconds",
    "process_resident_memory_bytes",
  ]) {
    t.ok(text.includes(expected), expected);
  }
  queue.depth = 0;
  t.ok((await metrics.registry.metrics()).includes('workqueue_depth{name="secret"} 0'));
});

t.test("series per bundle are off unless asked for, and go with the bundle", async (t) => {
  const place = { namespace: "shop", name: "api" };
  const conditions = [
    { type: "Ready", status: "False" },
    { type: "Stalled", status: "True" },
  ] as const;
  const off = operatorMetrics(BUILD);
  off.conditions(place, conditions);
  t.notMatch(await off.registry.metrics(), /zopp_secret_condition/);

  const on = operatorMetrics(BUILD, { perObject: true });
  on.conditions(place, conditions);
  const series = async () =>
    (await on.registry.metrics()).split("\n").filter((line) => line.startsWith("zopp_secret_condition{"));
  t.equal((await series()).length, 2);
  on.conditions(place, [{ type: "Ready", status: "Unknown" }]);
  t.same(await series(), ['zopp_secret_condition{namespace="shop",name="api",condition="Ready"} -1']);
  on.conditions(place, null);
  t.same(await series(), []);
});

t.test("bundles are counted by the reason of Ready, whatever they are called", async (t) => {
  const metrics = operatorMetrics(BUILD);
  const counts = async () => {
    const lines = (await metrics.registry.metrics()).split("\n").filter((line) => /^zopp_bundles/.test(line));
    return lines.map((line) => line.replace(/^.*reason="(\w+)"} /, "$1 "));
  };
  t.same(await counts(), ["Synced 0"]);
  metrics.bundle("shop/api", "Synced");
  metrics.bundle("shop/api", "Synced");
  metrics.bundle("shop/web", "SignatureInvalid");
  t.same(await counts(), ["Synced 1", "SignatureInvalid 1"]);
  metrics.bundle("shop/web", "Synced");
  metrics.bundle("shop/unknown", null);
  t.same(await counts(), ["Synced 2", "SignatureInvalid 0"]);
  metrics.bundle("shop/api", null);
  t.same(await counts(), ["Synced 1", "SignatureInvalid 0"]);
});

t.test("policy is counted by what became of it last, and no reason stays that nothing has", async (t) => {
  const metrics = operatorMetrics(BUILD);
  const lines = async () =>
    (await metrics.registry.metrics()).split("\n").filter((line) => line.startsWith("zopp_policies{"));
  metrics.policies([{ kind: "ZoppEnvironment", reason: "LedgerLost", count: 2 }]);
  t.same(await lines(), ['zopp_policies{kind="ZoppEnvironment",reason="LedgerLost"} 2']);
  metrics.policies([{ kind: "ZoppEnvironment", reason: "Accepted", count: 2 }]);
  t.same(await lines(), ['zopp_policies{kind="ZoppEnvironment",reason="Accepted"} 2']);
});

t.test("what was never kept, restarted or run is there at 0, so that the first time is an increase", async (t) => {
  const text = await operatorMetrics(BUILD).registry.metrics();
  for (const series of [
    'zopp_history_total{result="failed"} 0',
    'zopp_restarts_total{result="refused"} 0',
    'zopp_rotation_jobs_total{result="failed"} 0',
  ])
    t.ok(text.includes(series), series);
});

t.test("restarts that are refused are counted over all namespaces, until they are done", async (t) => {
  const metrics = operatorMetrics(BUILD);
  const count = async () => (await metrics.registry.metrics()).match(/^zopp_restarts_refused (\d+)$/m)?.[1];
  t.equal(await count(), "0", "none is not the same as unknown");
  metrics.restartsRefused("shop", 2);
  metrics.restartsRefused("web", 1);
  metrics.restartsRefused("web", 1);
  t.equal(await count(), "3");
  metrics.restartsRefused("shop", 1);
  metrics.restartsRefused("unknown", 0);
  t.equal(await count(), "2");
  metrics.restartsRefused("web", 0);
  metrics.restartsRefused("shop", 0);
  t.equal(await count(), "0");
});

t.test("certificates that wait are counted by reason, and each reason is there from the start", async (t) => {
  const metrics = operatorMetrics(BUILD);
  const counts = async () => {
    const lines = (await metrics.registry.metrics()).split("\n").filter((line) => /^zopp_certificates_w/.test(line));
    return lines.map((line) => line.replace(/^.*reason="(\w+)"} /, "$1 "));
  };
  t.same(await counts(), ["IssuerPending 0", "IssuerRefused 0"]);
  metrics.certificates("shop/api", [{ reason: "IssuerRefused" }]);
  t.same(await counts(), ["IssuerPending 0", "IssuerRefused 1"]);
  metrics.certificates("shop/api", []);
  t.same(await counts(), ["IssuerPending 0", "IssuerRefused 0"]);
});

t.test("values that end are counted by reason over all bundles, and not under a bundle's name", async (t) => {
  const metrics = operatorMetrics(BUILD);
  const counts = async () => {
    const lines = (await metrics.registry.metrics()).split("\n").filter((line) => /^zopp_entries_expiring/.test(line));
    return lines.map((line) => line.replace(/^.*reason="(\w+)"} /, "$1 "));
  };
  t.same(await counts(), ["ExpiresSoon 0", "ExpiresWithinADay 0", "Expired 0"], "none is not the same as unknown");
  metrics.expiring("shop/api", [{ reason: "ExpiresSoon" }, { reason: "Expired" }]);
  metrics.expiring("shop/web", [{ reason: "ExpiresSoon" }]);
  t.same(await counts(), ["ExpiresSoon 2", "ExpiresWithinADay 0", "Expired 1"]);
  metrics.expiring("shop/api", [{ reason: "Expired" }, { reason: "Expired" }]);
  t.same(await counts(), ["ExpiresSoon 1", "ExpiresWithinADay 0", "Expired 2"]);
  metrics.expiring("shop/api", []);
  metrics.expiring("shop/unknown", []);
  t.same(await counts(), ["ExpiresSoon 1", "ExpiresWithinADay 0", "Expired 0"]);
});

t.test("new values that wait are counted by what they wait for, as long as they do", async (t) => {
  const metrics = operatorMetrics(BUILD);
  const counts = async () => {
    const lines = (await metrics.registry.metrics()).split("\n").filter((line) => /^zopp_rotations_waiting/.test(line));
    return lines.map((line) => line.replace(/^.*reason="Rotation(\w+)"} /, "$1 "));
  };
  t.same(await counts(), ["Pending 0", "Failed 0", "Disabled 0"], "none is not the same as unknown");
  metrics.rotating("shop/api", [{ reason: "RotationPending" }]);
  metrics.rotating("shop/web", [{ reason: "RotationDisabled" }]);
  metrics.rotating("shop/api", [{ reason: "RotationFailed" }]);
  metrics.rotating("shop/api", [{ reason: "RotationFailed" }]);
  t.same(await counts(), ["Pending 0", "Failed 1", "Disabled 1"]);
  metrics.rotating("shop/api", []);
  metrics.rotating("shop/unknown", []);
  t.same(await counts(), ["Pending 0", "Failed 0", "Disabled 1"]);
});

t.test("the keyring's numbers: latency by method and code, errors by code, connections, log", async (t) => {
  const metrics = keyringMetrics({ component: "keyring", version: "1" });
  metrics.rpc("Open", "ok", 0.001);
  metrics.rpc("Open", "SignatureInvalid", 0.001);
  metrics.connections(1);
  metrics.connections(1);
  metrics.connections(-1);
  metrics.logSize(42);
  const text = await metrics.registry.metrics();
  for (const expected of [
    'zopp_keyring_rpc_seconds_count{method="Open",code="SignatureInvalid"} 1',
    'zopp_keyring_errors_total{code="SignatureInvalid"} 1',
    "zopp_keyring_connections 1",
    "zopp_keyring_log_size 42",
  ]) {
    t.ok(text.includes(expected), expected);
  }
  t.notOk(text.includes('zopp_keyring_errors_total{code="ok"}'));
});
