// A release's life with Helm itself on a real API server, where no pod runs: what an upgrade changes, what uninstalling
// leaves, and how one goes on with what was left. Hooks need pods: those are the end-to-end run's.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { connect } from "../../operator/kube/client.js";
import { hasStatus } from "../../operator/kube/errors.js";
import { NAMESPACES, type Place, type Resource, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { startControlPlane } from "../control-plane/control-plane.js";
import { eventually } from "../eventually.js";
import { bundle, world } from "../fixtures.js";
import { CHART, MODES, RELEASE, runHelm, SYSTEM, type Values } from "./chart.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

const DEPLOYMENTS: Resource = {
  group: "apps",
  version: "v1",
  plural: "deployments",
  kind: "Deployment",
  namespaced: true,
};
const CRDS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};
const SECRETS_CRD = "zoppsecrets.zopp.dev";

t.test("on a real API server", { skip }, async (t) => {
  const cp = await startControlPlane();
  const client = await connect({ file: cp.kubeconfig });
  t.teardown(async () => {
    await client.close();
    await cp.stop();
  });
  for (const name of [SYSTEM, "shop-prod", "shop-staging"]) await client.create(NAMESPACES, { metadata: { name } });
  const run = (args: readonly string[], values: Values = MODES.sidecar, chart: string | false = CHART) =>
    runHelm(helm, args, values, { chart, kubeconfig: cp.kubeconfig });
  const exists = (resource: Resource, place: Place) =>
    client.get(resource, place).then(
      () => true,
      (error: unknown) => !hasStatus(error, 404) && Promise.reject(error),
    );
  const crd = async () => JSON.stringify(await client.get(CRDS, { name: SECRETS_CRD }));
  const operator = { namespace: SYSTEM, name: "zopp" };
  const mine = { namespace: "shop-prod", name: "api" };

  await t.test("an installation over CRDs that kubectl made needs a word, and then goes on with them", async (t) => {
    await cp.applyCrds();
    const refused = await run(["install", RELEASE, "--no-hooks"]);
    t.not(refused.code, 0);
    t.match(refused.stderr, /CustomResourceDefinition .*cannot be imported|invalid ownership metadata/);
    const taken = await run(["install", RELEASE, "--no-hooks", "--take-ownership"]);
    t.equal(taken.code, 0, taken.stderr);
    t.match(taken.stdout, /zopp cluster add NAME --keyring-namespace zopp-system/, "NOTES say the next command");
    t.ok(await exists(DEPLOYMENTS, operator));
    await client.create(ZOPP_SECRETS, bundle(world().environment, { A: "x" }, { name: "api" }) as never);
  });

  await t.test("an upgrade of the chart upgrades the CRDs", async (t) => {
    const chart = join(t.testdir(), "chart");
    cpSync(CHART, chart, { recursive: true });
    const file = join(chart, "files", "crds", "zoppsecrets.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace(/description: .*/, "description: Newer."));
    const shared = await run(["upgrade", RELEASE, "--no-hooks"], MODES.sidecar, chart);
    t.match(shared.stderr, /conflict with "kubectl"/, "what kubectl applied too is taken from it by a word, once");
    const { code, stderr } = await run(["upgrade", RELEASE, "--no-hooks", "--force-conflicts"], MODES.sidecar, chart);
    t.equal(code, 0, stderr);
    t.match(await crd(), /Newer\./);
    const newer = readFileSync(file, "utf8").replace("description: Newer.", "description: Newest.");
    writeFileSync(file, newer);
    const next = await run(["upgrade", RELEASE, "--no-hooks"], MODES.sidecar, chart);
    t.equal(next.code, 0, next.stderr);
    t.match(await crd(), /Newest\./);
  });

  await t.test("a rollback takes that back, and bundles stay", async (t) => {
    const { code, stderr } = await run(["rollback", RELEASE, "1", "--no-hooks"], {}, false);
    t.equal(code, 0, stderr);
    t.notMatch(await crd(), /Newest\./);
    t.ok(await exists(ZOPP_SECRETS, mine));
  });

  await t.test("another mode of the same release: what is not needed any more goes", async (t) => {
    t.equal((await run(["upgrade", RELEASE, "--no-hooks"], MODES.deployment)).code, 0);
    t.ok(await exists(DEPLOYMENTS, { ...operator, name: "zopp-keyring" }));
    t.equal((await run(["upgrade", RELEASE, "--no-hooks"], MODES.sidecar)).code, 0);
    t.ok(await eventually(async () => !(await exists(DEPLOYMENTS, { ...operator, name: "zopp-keyring" }))));
  });

  await t.test("several pods of both, and one again: how they are replaced follows", async (t) => {
    for (const [replicas, strategy] of [
      [2, "RollingUpdate"],
      [1, "Recreate"],
    ] as const) {
      const { code, stderr } = await run(["upgrade", RELEASE, "--no-hooks"], { ...MODES.sidecar, replicas });
      t.equal(code, 0, stderr);
      t.match(await client.get(DEPLOYMENTS, operator), { spec: { replicas, strategy: { type: strategy } } });
    }
  });

  await t.test("uninstalling leaves CRDs and bundles, and the same release can come again", async (t) => {
    const { code, stderr } = await run(["uninstall", RELEASE, "--no-hooks"], {}, false);
    t.equal(code, 0, stderr);
    t.ok(await eventually(async () => !(await exists(DEPLOYMENTS, operator))));
    t.ok(await exists(ZOPP_SECRETS, mine));
    const again = await run(["install", RELEASE, "--no-hooks"]);
    t.equal(again.code, 0, again.stderr);
    t.ok(await exists(ZOPP_SECRETS, mine));
  });
});
