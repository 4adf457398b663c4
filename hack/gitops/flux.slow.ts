// Flux's own kustomize-controller applies examples/gitops/flux from Alice's commits; real operator, real keyring.
import t from "tap";
import { readyOf } from "../../operator/kube/conditions.js";
import { SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { BASELINE, bundle, Checkout, ELSEWHERE, ENVIRONMENT, secret, WORKSPACE } from "./checkout.js";
import { exampleKustomization, startFlux } from "./flux.js";
import { FLUX, whyNot } from "./programs.js";

const NAMES = ["zopp-policy", "zopp-environments", "zopp-baselines", "zopp-bundles"] as const;

const why = whyNot(FLUX);
if (why !== null) {
  console.error(why);
  t.plan(0, why);
  process.exit();
}

const APPS = {
  ...exampleKustomization("bundles").spec,
  path: "./apps",
  patches: [],
  dependsOn: [],
  healthCheckExprs: [],
};
const DONE = "ReconciliationSucceeded";
const checkout = new Checkout();
t.teardown(() => checkout.stop());
await checkout.begin();
const flux = await startFlux(checkout);
t.teardown(() => flux.stop());
const { stage } = checkout;

/** Publishes what is committed, and waits until Flux says this of the bundles; gives its message. */
async function delivered(reason: string): Promise<string> {
  await flux.publish();
  return flux.becomes(reason, "zopp-bundles");
}

/** A Secret as somebody has it in git who has no zopp yet, with the two annotations that its taking over needs. */
async function writePlainSecret(): Promise<void> {
  await checkout.run(
    "mkdir apps && kubectl create configmap app -n shop-prod --dry-run=client -o yaml > apps/app.yaml",
  );
  const made = "kubectl create secret generic legacy -n shop-prod --from-literal=KEY=plain --dry-run=client -o yaml";
  const marks = "zopp.dev/adopt=legacy kustomize.toolkit.fluxcd.io/prune=disabled";
  await checkout.run(`${made} | kubectl annotate --local -f - -o yaml ${marks} > apps/legacy.yaml`);
}

const readyOfKustomization = async (name: string) => readyOf((await flux.kustomization(name)).status);

t.test("an environment and a bundle that come before their workspace wait for it", async (t) => {
  await stage.startOperator();
  await checkout.run("kubectl apply --server-side -f zopp/acme.shop.production.yaml -f zopp/shop-prod");
  await checkout.becomes("NoPolicy", bundle("api"));
  await checkout.becomes("NoPolicy", ENVIRONMENT);
  t.equal(await checkout.find(...secret("api")), undefined);
});

t.test(
  "policy, environments with their baselines, and bundles become ready in that order, and the Secret is there",
  async (t) => {
    for (const file of ["bundles", "baselines", "environments", "policy"] as const)
      await flux.apply(exampleKustomization(file));
    await flux.publish();
    await eventually(async () => (await readyOfKustomization("zopp-bundles"))?.reason === "DependencyNotReady");
    for (const name of NAMES) await flux.becomes(DONE, name);
    await checkout.becomes("Accepted", WORKSPACE);
    await checkout.becomes("Accepted", ENVIRONMENT);
    await checkout.becomes("Accepted", BASELINE);
    await checkout.becomes("Synced", bundle("api"));
    const { metadata } = await checkout.holds("api", { PASSWORD: "one", USER: "app" });
    t.notMatch(JSON.stringify({ ...metadata, managedFields: [] }), /fluxcd/, "nothing of Flux is on the Secret");
  },
);

t.test("an environment of other clusters holds nothing up, and opens nothing", async (t) => {
  const { status, message } = await checkout.becomes("NotServedHere", ELSEWHERE);
  t.equal(status, "True");
  t.match(message, "environment acme/shop/dev is served by no cluster, not by eu-1");
  await checkout.run("printf x | zopp set shop-dev/app KEY --environment shop/dev");
  await checkout.run("kubectl apply --server-side -f zopp/shop-dev && rm -r zopp/shop-dev");
  const place = { namespace: "shop-dev", name: "app" };
  t.equal((await checkout.becomes("NotServedHere", [ZOPP_SECRETS, place])).status, "False");
  t.equal(await checkout.find(SECRETS, place), undefined);
});

t.test("further rounds of Flux write nothing", async (t) => {
  const before = await checkout.versions();
  for (const name of [...NAMES, ...NAMES, ...NAMES]) await flux.reconcile(name);
  t.strictSame(await checkout.versions(), before);
});

t.test("a bundle is not ready for Flux before the operator has made its Secret", async (t) => {
  await stage.children.find(({ name }) => name === "zopp-operator")?.stop();
  await checkout.run("printf x | zopp set shop-prod/web TOKEN");
  await checkout.commit("Secrets of the web");
  const { healthCheckExprs: _, ...spec } = exampleKustomization("bundles").spec;
  await flux.apply({ metadata: { name: "unguarded", namespace: "flux-system" }, spec: { ...spec, prune: false } });
  await flux.publish();
  await flux.becomes(DONE, "unguarded");
  t.equal(
    await checkout.find(...secret("web")),
    undefined,
    "without the expressions Flux calls it ready, with no Secret",
  );
  await flux.becomes("Progressing", "zopp-bundles");
  await stage.startOperator();
  await flux.becomes(DONE, "zopp-bundles");
  await checkout.holds("web", { TOKEN: "x" });
});

t.test("a bundle that Flux moves or renames is refused there", async () => {
  const { healthCheckExprs: _, ...spec } = exampleKustomization("bundles").spec;
  const changes = { moved: { targetNamespace: "default" }, renamed: { namePrefix: "eu-" } };
  for (const [name, change] of Object.entries(changes)) {
    const metadata = { name, namespace: "flux-system" };
    await flux.apply({ metadata, spec: { ...spec, ...change, wait: false } });
  }
  await checkout.becomes("NamespaceNotAllowed", [ZOPP_SECRETS, { namespace: "default", name: "api" }]);
  await checkout.becomes("PlaceMismatch", bundle("eu-api"));
  await checkout.run("kubectl delete kustomization moved renamed -n flux-system");
});

t.test(
  "a pull request with a bad signature is refused and told; the last good Secret stays, other bundles follow",
  async (t) => {
    const before = await checkout.holds("api", { PASSWORD: "one", USER: "app" });
    checkout.forge("api", "PASSWORD");
    await checkout.run("printf y | zopp set shop-prod/web TOKEN");
    await checkout.commit("A good value and a forged one");
    t.match(await checkout.run("zopp verify || true"), /SignatureInvalid/, "zopp verify finds it before it is merged");
    const message = await delivered("HealthCheckFailed");
    t.match(message, "failed early due to stalled resources: [ZoppSecret/shop-prod/api status: 'Failed']");
    const { message: told } = await checkout.becomes("SignatureInvalid", bundle("api"));
    t.match(told, /spec\.data\.PASSWORD.*; next: find who changed it/);
    t.strictSame(await checkout.holds("api", { PASSWORD: "one", USER: "app" }), before);
    t.match(await flux.becomes("HealthCheckFailed", "unguarded"), "status: 'Failed'", "kstatus alone sees it as well");
    await checkout.run("kubectl delete kustomization unguarded -n flux-system");
    await checkout.holds("web", { TOKEN: "y" });
  },
);

t.test("its revert heals what was refused, and is refused where a good value would go back", async (t) => {
  await checkout.revert();
  t.match(await checkout.run("zopp verify --base HEAD~1 || true"), /RollbackRefused/, "zopp verify finds it as well");
  t.match(await delivered("HealthCheckFailed"), "[ZoppSecret/shop-prod/web status: 'Failed']");
  await checkout.becomes("Synced", bundle("api"));
  const { message } = await checkout.becomes("RollbackRefused", bundle("web"));
  t.match(message, /spec\.data\.TOKEN: version \d+ is below the accepted \d+; next: go back by `zopp rollback`/);
  await checkout.holds("web", { TOKEN: "y" });
});

t.test("the former value under a new version goes through", async () => {
  await checkout.run("printf x | zopp set shop-prod/web TOKEN");
  await checkout.commit("The former token again");
  await delivered(DONE);
  await checkout.holds("web", { TOKEN: "x" });
});

t.test("a bundle that leaves the repository goes with its Secret", async () => {
  await checkout.run("git rm -q zopp/shop-prod/web.yaml && zopp grant alice write --scope shop");
  await checkout.commit("No web any more, and a grant");
  await delivered(DONE);
  await checkout.gone("web");
});

t.test("a policy that goes back holds up what depends on it, and harms nothing", async (t) => {
  const before = await checkout.holds("api", { PASSWORD: "one", USER: "app" });
  await checkout.revert();
  await flux.publish();
  await flux.becomes("HealthCheckFailed", "zopp-policy");
  const { message } = await checkout.becomes("PolicyRollback", WORKSPACE);
  t.match(message, /version \d+ stays in force/);
  await eventually(async () => (await readyOfKustomization("zopp-environments"))?.reason === "DependencyNotReady");
  t.strictSame(await checkout.holds("api", { PASSWORD: "one", USER: "app" }), before);
});

t.test("a bundle that was deleted comes back as it was", async () => {
  await checkout.run("git checkout -q HEAD~1 -- zopp/acme.yaml");
  await writePlainSecret();
  await checkout.commit("The newest policy, and with it the bundle again; a plain Secret beside them");
  await flux.apply({ metadata: { name: "apps", namespace: "flux-system" }, spec: APPS });
  await delivered(DONE);
  await checkout.holds("web", { TOKEN: "x" });
});

t.test("a Secret that Flux applied is taken over in one commit", async (t) => {
  await flux.becomes(DONE, "apps");
  const before = await checkout.holds("legacy", { KEY: "plain" });
  await checkout.run("git rm -q apps/legacy.yaml && printf sealed | zopp set shop-prod/legacy KEY");
  await checkout.commit("The plain Secret becomes a bundle");
  await delivered(DONE);
  await flux.becomes(DONE, "apps");
  const after = await checkout.holds("legacy", { KEY: "sealed" });
  t.equal(after.metadata.uid, before.metadata.uid, "nobody deleted it in between");
});
