// Argo CD's own application-controller and repo-server apply examples/gitops/argocd from Alice's commits.
import t from "tap";
import { type Resource, ZOPP_ENVIRONMENTS, ZOPP_SECRETS, ZOPP_WORKSPACES } from "../../operator/kube/resources.js";
import { type Application, startArgocd } from "./argocd.js";
import { BASELINE, bundle, Checkout, ENVIRONMENT, secret } from "./checkout.js";
import { ARGOCD, whyNot } from "./programs.js";

const why = whyNot(ARGOCD);
if (why !== null) {
  console.error(why);
  t.plan(0, why);
  process.exit();
}

const checkout = new Checkout();
t.teardown(() => checkout.stop());
await checkout.begin();
writeWave("acme", -2);
writeWave("acme.shop.production.baseline", -2);
for (const name of ["acme.shop.production", "acme.shop.dev"]) writeWave(name, -1);
await checkout.commit("In which order Argo CD applies");
const argocd = await startArgocd(checkout);
t.teardown(() => argocd.stop());
const { stage } = checkout;

/** Adds to a policy object's file what docs/gitops.md says. */
function writeWave(name: string, wave: number): void {
  const lines = [
    "annotations:",
    `  argocd.argoproj.io/sync-wave: "${wave}"`,
    "  argocd.argoproj.io/sync-options: Prune=false",
  ];
  const added = lines.map((line) => `  ${line}\n`).join("");
  checkout.edit(`zopp/${name}.yaml`, (text) => text.replace("metadata:\n", `metadata:\n${added}`));
}

/** By its kind too: a baseline has the name of its environment, and Argo CD lists what it applied in no order. */
const healthOf = (status: Application["status"], { kind }: Resource, name: string) =>
  status?.resources?.find((one) => one.kind === kind && one.name === name)?.health;

/** Waits until the newest commit is applied, nothing differs, and the health is this. */
async function delivered(health: string): Promise<Application> {
  const revision = await argocd.refresh();
  return argocd.is(
    `${revision} is applied and ${health}`,
    ({ sync, health: now, operationState }) =>
      operationState?.syncResult?.revision === revision &&
      operationState.phase === "Succeeded" &&
      sync?.status === "Synced" &&
      now?.status === health,
  );
}

t.test("each wave waits until the operator finds the one before good", async (t) => {
  await argocd.applyExample();
  await argocd.is(
    "it waits",
    ({ operationState }) => operationState?.message === "waiting for healthy state of zopp.dev/ZoppWorkspace/acme",
  );
  t.equal(await checkout.find(...ENVIRONMENT), undefined);
  await stage.startOperator();
  const application = await delivered("Healthy");
  await checkout.becomes("Accepted", BASELINE);
  await checkout.holds("api", { PASSWORD: "one", USER: "app" });
  t.match(healthOf(application.status, ZOPP_WORKSPACES, "acme"), { status: "Healthy" });
  t.match(healthOf(application.status, ZOPP_ENVIRONMENTS, "acme.shop.production"), { status: "Healthy" });
  t.match(healthOf(application.status, ZOPP_SECRETS, "api"), { status: "Healthy" });
  const elsewhere = healthOf(application.status, ZOPP_ENVIRONMENTS, "acme.shop.dev");
  t.match(elsewhere, { status: "Healthy", message: /^NotServedHere: / });
});

t.test("nothing of Argo CD is on the Secret", async (t) => {
  const marks = JSON.stringify((await checkout.find(...bundle("api")))?.metadata.annotations);
  t.match(marks, "argocd.argoproj.io/tracking-id");
  t.notMatch(JSON.stringify((await checkout.find(...secret("api")))?.metadata), /argocd|argoproj/);
});

t.test("further rounds of Argo CD write nothing and find no difference", async (t) => {
  const before = await checkout.versions();
  const history = (await argocd.application()).status?.history?.length;
  for (let round = 0; round < 3; round += 1) await argocd.refresh();
  t.strictSame(await checkout.versions(), before);
  const { status } = await argocd.application();
  t.equal(status?.sync?.status, "Synced");
  t.equal(status?.history?.length, history);
});

t.test(
  "a pull request with a bad signature is refused and told; the last good Secret stays, other bundles follow",
  async (t) => {
    await checkout.run("printf x | zopp set shop-prod/web TOKEN");
    await checkout.commit("Secrets of the web");
    await delivered("Healthy");
    const before = await checkout.holds("api", { PASSWORD: "one", USER: "app" });
    checkout.forge("api", "PASSWORD");
    await checkout.run("printf y | zopp set shop-prod/web TOKEN");
    await checkout.commit("A good value and a forged one");
    const application = await delivered("Degraded");
    t.match(healthOf(application.status, ZOPP_SECRETS, "api"), {
      status: "Degraded",
      message: /^SignatureInvalid: .*spec\.data\.PASSWORD/,
    });
    t.strictSame(await checkout.holds("api", { PASSWORD: "one", USER: "app" }), before);
    await checkout.holds("web", { TOKEN: "y" });
  },
);

t.test("its revert heals what was refused, and is refused where a good value would go back", async (t) => {
  await checkout.revert();
  const application = await delivered("Degraded");
  t.match(healthOf(application.status, ZOPP_SECRETS, "web"), { status: "Degraded", message: /^RollbackRefused: / });
  await checkout.becomes("Synced", bundle("api"));
  await checkout.holds("web", { TOKEN: "y" });
});

t.test("the former value under a new version goes through", async () => {
  await checkout.run("printf x | zopp set shop-prod/web TOKEN");
  await checkout.commit("The former token again");
  await delivered("Healthy");
  await checkout.holds("web", { TOKEN: "x" });
});

t.test("a bundle that leaves the repository goes with its Secret", async (t) => {
  await checkout.run("git rm -q zopp/shop-prod/web.yaml && zopp grant alice write --scope shop");
  t.match(await checkout.run("cat zopp/acme.yaml"), 'argocd.argoproj.io/sync-wave: "-2"', "zopp keeps the waves");
  await checkout.commit("No web any more, and a grant");
  await delivered("Healthy");
  await checkout.gone("web");
});

t.test("a policy that goes back holds up what comes after it, and harms nothing", async (t) => {
  const before = await checkout.holds("api", { PASSWORD: "one", USER: "app" });
  await checkout.revert();
  await checkout.run("printf two | zopp set shop-prod/api PASSWORD");
  await checkout.commit("Another password");
  await argocd.refresh();
  const application = await argocd.is(
    "it is refused",
    (status) =>
      /completed unsuccessfully/.test(status.operationState?.message ?? "") &&
      healthOf(status, ZOPP_WORKSPACES, "acme")?.status === "Degraded",
  );
  t.match(healthOf(application.status, ZOPP_WORKSPACES, "acme"), {
    status: "Degraded",
    message: /^PolicyRollback: .* stays in force/,
  });
  t.strictSame(await checkout.holds("api", { PASSWORD: "one", USER: "app" }), before);
});

t.test("the newest policy lets it go on by itself", async () => {
  await checkout.run("git checkout -q HEAD~2 -- zopp/acme.yaml");
  await checkout.commit("The newest policy again");
  await delivered("Healthy");
  await checkout.holds("api", { PASSWORD: "two", USER: "app" });
  await checkout.holds("web", { TOKEN: "x" });
});

t.test("a Secret that Argo CD applied is taken over in one commit", async (t) => {
  const made = "kubectl create secret generic legacy -n shop-prod --from-literal=KEY=plain --dry-run=client -o yaml";
  const marks = "zopp.dev/adopt=legacy argocd.argoproj.io/sync-options=Prune=false";
  await checkout.run(`${made} | kubectl annotate --local -f - -o yaml ${marks} > zopp/legacy.yaml`);
  await checkout.commit("A plain Secret");
  await delivered("Healthy");
  const before = await checkout.holds("legacy", { KEY: "plain" });
  await checkout.run("git rm -q zopp/legacy.yaml && printf sealed | zopp set shop-prod/legacy KEY");
  await checkout.commit("The plain Secret becomes a bundle");
  const application = await delivered("Healthy");
  const after = await checkout.holds("legacy", { KEY: "sealed" });
  t.equal(after.metadata.uid, before.metadata.uid, "nobody deleted it in between");
  t.match(after.metadata.annotations, { "argocd.argoproj.io/tracking-id": "zopp:/Secret:shop-prod/legacy" });
  const names = application.status?.resources?.map(({ kind, name }) => `${kind} ${name}`);
  t.notOk(names?.includes("Secret legacy"), "it belongs to its bundle, although Argo CD's mark is still on it");
});
