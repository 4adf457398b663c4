// What the accounts of the chart may do, asked of a real API server on which its roles and policies are installed: the
// rights of whoever has taken over the operator's container, in each mode. SECURITY.md says the same in words.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { install, PUBLIC_KEY, SEED_KEY } from "../../operator/keyring/install.js";
import { readSeed } from "../../operator/keyring/keys.js";
import type { ApiClient } from "../../operator/kube/client.js";
import type { KubeObject, Resource } from "../../operator/kube/resources.js";
import { CONFIG_MAPS, SECRETS } from "../../operator/kube/resources.js";
import { MODES, SYSTEM } from "./chart.js";
import { installChart } from "./installed.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

type Mode = keyof typeof MODES;
const ALL_MODES = ["sidecar", "deployment", "all"] as const satisfies readonly Mode[];

/** Who is asked about: the operator's account, and the keyring's where that is another one. */
const ACCOUNTS: Record<Mode, Record<"operator" | "keyring", string>> = {
  sidecar: { operator: "zopp", keyring: "zopp" },
  deployment: { operator: "zopp", keyring: "zopp-keyring" },
  all: { operator: "zopp", keyring: "zopp-keyring" },
};

const ACCESS_REVIEWS: Resource = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "subjectaccessreviews",
  kind: "SubjectAccessReview",
  namespaced: false,
};

/** One right: `verb resource[.group][/subresource] [namespace[/name]]`. */
async function may(client: ApiClient, account: string, right: string): Promise<boolean> {
  const [verb = "", what = "", where = ""] = right.split(" ");
  const [, resource = "", , group = "", , subresource = ""] =
    /^([a-z]+)(\.([a-z.0-9]+))?(\/([a-z]+))?$/.exec(what) ?? [];
  const [namespace = "", name = ""] = where.split("/");
  const resourceAttributes = { verb, resource, group, subresource, namespace, name };
  const user = `system:serviceaccount:${SYSTEM}:${account}`;
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${SYSTEM}`, "system:authenticated"];
  const review = await client.create<KubeObject & { status: { allowed: boolean } }>(ACCESS_REVIEWS, {
    metadata: {},
    spec: { user, groups, resourceAttributes },
  } as never);
  return review.status.allowed;
}

const NONE: readonly Mode[] = [];

/** What whoever holds the operator's container may do, and in which modes. */
const OPERATOR: Record<string, readonly Mode[]> = {
  // its work
  "get secrets shop-prod": ALL_MODES,
  "list secrets shop-prod": ALL_MODES,
  "watch secrets shop-prod": ALL_MODES,
  "create secrets shop-prod": ALL_MODES,
  "patch secrets shop-prod": ALL_MODES,
  "update secrets shop-prod": ALL_MODES,
  "list zoppsecrets.zopp.dev shop-prod": ALL_MODES,
  "patch zoppsecrets.zopp.dev/status shop-prod": ALL_MODES,
  "create events shop-prod": ALL_MODES,
  // what bundles were; an admission policy keeps it to those
  "list controllerrevisions.apps shop-prod": ALL_MODES,
  "create controllerrevisions.apps shop-prod": ALL_MODES,
  "delete controllerrevisions.apps shop-prod": ALL_MODES,
  "create events default": ALL_MODES,
  "watch zoppworkspaces.zopp.dev": ALL_MODES,
  "patch zoppenvironments.zopp.dev/status": ALL_MODES,
  // what people write, and what it need not do
  "delete secrets shop-prod": NONE,
  "get zoppsecrets.zopp.dev shop-prod": NONE,
  "patch zoppsecrets.zopp.dev shop-prod": NONE,
  "delete zoppsecrets.zopp.dev shop-prod": NONE,
  "patch zoppworkspaces.zopp.dev": NONE,
  "patch zoppenvironments.zopp.dev": NONE,
  "patch events shop-prod": NONE,
  "list events shop-prod": NONE,
  "get controllerrevisions.apps shop-prod": NONE,
  "watch controllerrevisions.apps shop-prod": NONE,
  "patch controllerrevisions.apps shop-prod": NONE,
  // namespaces that are not listed
  "get secrets shop-other": ["all"],
  "create secrets shop-other": ["all"],
  "list secrets": ["all"],
  "list zoppsecrets.zopp.dev shop-other": ["all"],
  "delete controllerrevisions.apps shop-other": ["all"],
  // the seed: one share of it, in the mode that may read every Secret; never the other
  "get secrets zopp-system/zopp-seed": ["all"],
  "get configmaps zopp-system/zopp-seed-share": NONE,
  "list configmaps zopp-system": NONE,
  "delete configmaps zopp-system/zopp-seed-share": NONE,
  // the leases by which one of several leads, those of any number of shards, and no other
  "get leases.coordination.k8s.io zopp-system/zopp-operator": ["deployment", "all"],
  "patch leases.coordination.k8s.io zopp-system/zopp-operator": ["deployment", "all"],
  "delete leases.coordination.k8s.io zopp-system/zopp-operator": NONE,
  "patch leases.coordination.k8s.io zopp-system/zopp-operator-1": ["deployment", "all"],
  "patch leases.coordination.k8s.io zopp-system/zopp-operator-15": ["deployment", "all"],
  "patch leases.coordination.k8s.io zopp-system/zopp-operator-16": NONE,
  "patch leases.coordination.k8s.io zopp-system/other": NONE,
  "list leases.coordination.k8s.io zopp-system": NONE,
  "patch leases.coordination.k8s.io kube-system/kube-controller-manager": NONE,
  // the key that it pins the keyring by
  "patch configmaps zopp-system/zopp-keyring-key": NONE,
  // ledger, log and identity of the cluster: those of the keyring, where it has the same account
  "list zoppledgers.zopp.dev zopp-system": ["sidecar"],
  "update zoppledgers.zopp.dev zopp-system": ["sidecar"],
  "create zoppauditsegments.zopp.dev zopp-system": ["sidecar"],
  "create tokenreviews.authentication.k8s.io": ["sidecar"],
  "patch configmaps zopp-system/zopp-cluster": ["sidecar"],
  "get configmaps zopp-system/zopp-cluster": NONE,
  "get namespaces /kube-system": ["sidecar"],
  "update zoppauditsegments.zopp.dev zopp-system": NONE,
  "delete zoppauditsegments.zopp.dev zopp-system": NONE,
  "delete zoppledgers.zopp.dev zopp-system": NONE,
  "list zoppledgers.zopp.dev shop-prod": NONE,
  // what leads further
  "create pods shop-prod": NONE,
  "create pods/exec zopp-system": NONE,
  "list deployments.apps shop-prod": NONE,
  "patch deployments.apps shop-prod": NONE,
  "get jobs.batch shop-prod": NONE,
  "create jobs.batch shop-prod": NONE,
  "create serviceaccounts/token zopp-system": NONE,
  "impersonate serviceaccounts zopp-system": NONE,
  "bind clusterroles.rbac.authorization.k8s.io": NONE,
  "patch validatingadmissionpolicies.admissionregistration.k8s.io": NONE,
  "delete validatingadmissionpolicybindings.admissionregistration.k8s.io": NONE,
  "patch customresourcedefinitions.apiextensions.k8s.io": NONE,
};

/** What whoever holds a keyring's container may do, where it has an account of its own. */
const KEYRING: Record<string, boolean> = {
  "get zoppledgers.zopp.dev zopp-system": true,
  "list zoppledgers.zopp.dev zopp-system": true,
  "create zoppledgers.zopp.dev zopp-system": true,
  "update zoppledgers.zopp.dev zopp-system": true,
  "get zoppauditsegments.zopp.dev zopp-system": true,
  "list zoppauditsegments.zopp.dev zopp-system": true,
  "create zoppauditsegments.zopp.dev zopp-system": true,
  "create tokenreviews.authentication.k8s.io": true,
  "watch zoppworkspaces.zopp.dev": true,
  "get namespaces /kube-system": true,
  "patch configmaps zopp-system/zopp-cluster": true,
  // where segments are deleted it looks whether another one has begun
  "get configmaps zopp-system/zopp-cluster": true,
  "patch configmaps zopp-system/zopp-keyring-key": false,
  // those that were exported, so that they stay few
  "delete zoppauditsegments.zopp.dev zopp-system": true,
  "update zoppauditsegments.zopp.dev zopp-system": false,
  "delete zoppledgers.zopp.dev zopp-system": false,
  "get secrets zopp-system/zopp-seed": false,
  "list secrets shop-prod": false,
  "create secrets shop-prod": false,
  "list zoppsecrets.zopp.dev shop-prod": false,
  "patch zoppworkspaces.zopp.dev/status": false,
  "create events zopp-system": false,
  "get namespaces /shop-prod": false,
  "create serviceaccounts/token zopp-system": false,
};

/** With `operator.restarts`, for the kinds that it names; the admission policy says to what end. */
const RESTARTS: Record<string, boolean> = {
  "list deployments.apps shop-prod": true,
  "patch deployments.apps shop-prod": true,
  "get deployments.apps shop-prod": false,
  "watch deployments.apps shop-prod": false,
  "create deployments.apps shop-prod": false,
  "update deployments.apps shop-prod": false,
  "delete deployments.apps shop-prod": false,
  "patch deployments.apps/scale shop-prod": false,
  "patch deployments.apps/status shop-prod": false,
  "patch deployments.apps shop-other": false,
  "patch deployments.apps zopp-system": false,
  "patch statefulsets.apps shop-prod": false,
  "patch rollouts.argoproj.io shop-prod": false,
  "create pods shop-prod": false,
};

t.test("with restarts: the kinds that are named can be listed and patched, and nothing more", { skip }, async (t) => {
  const { admin } = await installChart(t, helm, { ...MODES.sidecar, operator: { restarts: ["deployments"] } });
  for (const [right, allowed] of Object.entries(RESTARTS)) {
    t.equal(await may(admin, ACCOUNTS.sidecar.operator, right), allowed, right);
  }
});

/** With `operator.rotationJobs`; the admission policy says which Jobs. */
const ROTATION: Record<string, boolean> = {
  "get jobs.batch shop-prod": true,
  "create jobs.batch shop-prod": true,
  "patch jobs.batch shop-prod": true,
  "list jobs.batch shop-prod": false,
  "watch jobs.batch shop-prod": false,
  "update jobs.batch shop-prod": false,
  "delete jobs.batch shop-prod": false,
  "patch jobs.batch/status shop-prod": false,
  "create jobs.batch shop-other": false,
  "create jobs.batch zopp-system": false,
  "create cronjobs.batch shop-prod": false,
  "create pods shop-prod": false,
  "get pods/log shop-prod": false,
  "delete secrets shop-prod": false,
};

t.test("with rotation jobs: Jobs can be read by name, created and patched, and nothing more", { skip }, async (t) => {
  const { admin } = await installChart(t, helm, { ...MODES.sidecar, operator: { rotationJobs: true } });
  for (const [right, allowed] of Object.entries(ROTATION)) {
    t.equal(await may(admin, ACCOUNTS.sidecar.operator, right), allowed, right);
  }
});

for (const mode of ALL_MODES) {
  t.test(`mode ${mode}: what an account can reach is what this table says`, { skip }, async (t) => {
    const { admin } = await installChart(t, helm, MODES[mode]);
    const { operator, keyring } = ACCOUNTS[mode];
    for (const [right, modes] of Object.entries(OPERATOR)) {
      t.equal(await may(admin, operator, right), modes.includes(mode), `operator: ${right}`);
    }
    if (keyring === operator) return;
    for (const [right, allowed] of Object.entries(KEYRING)) {
      t.equal(await may(admin, keyring, right), allowed, `keyring: ${right}`);
    }
  });
}

t.test("an operator of all namespaces, taken over, does not have the seed", { skip }, async (t) => {
  const { admin, clientOf } = await installChart(t, helm, MODES.all);
  const folder = t.testdir();
  const [mountedSecret, mountedShare] = [join(folder, "secret"), join(folder, "share")];
  const names = { secret: "zopp-seed", shareConfigMap: "zopp-seed-share", publicConfigMap: "zopp-keyring-key" };
  const { identity } = await install(admin, { namespace: SYSTEM, ...names, mountedSecret, mountedShare });
  const operator = await clientOf("zopp");
  const { items } = await operator.list<KubeObject & { data?: Record<string, string> }>(SECRETS);
  const seeds = items.map(({ data }) => data?.[SEED_KEY]).filter((seed) => seed !== undefined);
  t.equal(seeds.length, 1, "it reads the Secret");
  writeFileSync(mountedSecret, Buffer.from(seeds[0] ?? "", "base64"));
  t.not(
    (await readSeed([mountedSecret])).signing.verifyKey.text,
    identity.signing.verifyKey.text,
    "which is half of it",
  );
  for (const name of Object.values(names)) {
    await t.rejects(operator.get(CONFIG_MAPS, { namespace: SYSTEM, name }), { code: "ApiRefused" });
  }
  const label = { metadata: { namespace: SYSTEM, name: "zopp-seed", labels: { a: "b" } } };
  await t.rejects(operator.apply(SECRETS, label, { fieldManager: "x" }), { code: "ApiRefused" }, "nor can it spoil it");
  const key = await admin.get<KubeObject & { data: Record<string, string> }>(CONFIG_MAPS, {
    namespace: SYSTEM,
    name: names.publicConfigMap,
  });
  t.equal(key.data[PUBLIC_KEY], `${identity.signing.verifyKey.text}\n`);
});
