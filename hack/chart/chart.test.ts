// What the chart makes of its values: rendered by Helm, looked at as objects. What an API server says is api.test.ts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { VERSION } from "../../crds/version.js";
import { readValues } from "../gen.values.js";
import { packageRoot } from "../package-root.js";
import {
  CHART,
  example,
  isHook,
  MODES,
  PIN,
  type PodSpec,
  pick,
  podsOf,
  type Rendered,
  render,
  runHelm,
  type Values,
} from "./chart.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

const read = (...path: string[]) => readFileSync(join(CHART, ...path), "utf8");

t.test("the chart is of this version of zopp, and has its CRDs", { skip }, async (t) => {
  const { version, appVersion } = parse(read("Chart.yaml"));
  t.strictSame([version, appVersion], [VERSION, VERSION]);
  const objects = await render(helm, MODES.sidecar);
  const folder = join(packageRoot(), "crds", "manifests");
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml"))) {
    const wanted = parse(readFileSync(join(folder, file), "utf8"), { version: "1.1" });
    const crd = pick(objects, "CustomResourceDefinition", wanted.metadata.name);
    t.strictSame(crd.spec, wanted.spec, file);
    t.equal(crd.metadata.annotations?.["helm.sh/resource-policy"], "keep", "uninstall deletes nobody's bundles");
    const argo = crd.metadata.annotations?.["argocd.argoproj.io/sync-options"];
    t.equal(
      argo,
      "Prune=false,Delete=false",
      "nor does a chart without CRDs, by Argo CD, which prunes what Helm keeps",
    );
  }
  const without = await render(helm, { ...MODES.sidecar, crds: { install: false } });
  t.notOk(without.some(({ kind }) => kind === "CustomResourceDefinition"));
});

t.test(
  "an operator that keeps no history has no right on ControllerRevisions, and nothing speaks of them",
  { skip },
  async (t) => {
    const speaks = async (history: number, enabled = true) => {
      const values = { ...MODES.deployment, operator: { history }, admissionPolicies: { enabled } };
      return (await render(helm, values)).filter((object) =>
        /controllerrevisions|--history=[^0]/.test(JSON.stringify(object)),
      );
    };
    t.strictSame(await speaks(0), []);
    t.strictSame(await speaks(3, false), [], "nor where no policy would keep it to those of bundles");
    t.ok((await speaks(1)).some(({ kind }) => kind === "Role"));
  },
);

for (const name of ["small", "hardened", "all-namespaces"] as const) {
  t.test(`helm lint --strict has nothing to say of the example ${name}`, { skip }, async (t) => {
    const { code, stdout } = await runHelm(helm, ["lint", "--strict"], example(name));
    t.equal(code, 0, stdout);
    t.notMatch(stdout, /\[(?:WARNING|ERROR)\]/);
  });
}

/** Values that mean nothing good, and the sentence that says so. */
const REFUSED: Record<string, readonly [values: Values, sentence: RegExp]> = {
  "nothing at all": [{}, /zopp trust[\s\S]*--set 'trust\[0\]=acme@/],
  "pins and first use": [{ ...MODES.sidecar, firstUse: true }, /firstUse and trust exclude each other/],
  "no namespaces": [{ trust: [PIN] }, /list the namespaces whose bundles shall become Secrets/],
  "all namespaces and some": [{ ...MODES.all, namespaces: ["a"] }, /allNamespaces and namespaces exclude/],
  "all namespaces beside the keyring": [{ trust: [PIN], allNamespaces: true }, /allNamespaces needs mode=deployment/],
  "the release's own namespace": [
    { trust: [PIN], namespaces: ["zopp-system"] },
    /the release's own: the keyring's seed/,
  ],
  "kube-system": [{ trust: [PIN], namespaces: ["kube-system"] }, /no environment may serve it/],
  "two keyrings beside one operator": [
    { ...MODES.sidecar, keyring: { replicas: 2 } },
    /keyring.replicas is 2 and must be 1 with mode=sidecar/,
  ],
  "no keyring": [{ ...MODES.all, keyring: { replicas: 0 } }, /at '\/keyring\/replicas': minimum/],
  "shards beside the keyring": [
    { ...MODES.sidecar, replicas: 2, operator: { shards: 2 } },
    /operator.shards is 2 and must be 1 with mode=sidecar/,
  ],
  "more shards than replicas": [
    { ...MODES.all, replicas: 2, operator: { shards: 3 } },
    /operator.shards is 3 and replicas is 2: an operator works on one shard/,
  ],
  "more shards than there can be": [{ ...MODES.all, replicas: 16, operator: { shards: 17 } }, /operator\/shards/],
  "no replica": [{ ...MODES.all, replicas: 0 }, /at '\/replicas': minimum/],
  "a pin that is none": [{ ...MODES.sidecar, trust: ["acme@1:8df9"] }, /at '\/trust\/0'.*does not match/],
  "a namespace that is none": [{ trust: [PIN], namespaces: ["Shop,b"] }, /at '\/namespaces\/0'/],
  "a namespace twice": [{ trust: [PIN], namespaces: ["a", "a"] }, /at '\/namespaces'.*equal/],
  "a mode that is none": [{ ...MODES.sidecar, mode: "daemonset" }, /at '\/mode'/],
  "a value that is not there": [{ ...MODES.sidecar, operator: { worker: 1 } }, /'worker' not allowed/],
  "a warning time without a unit": [{ ...MODES.sidecar, operator: { expiryWarning: "14" } }, /operator\/expiryWarning/],
  "a digest that is none": [{ ...MODES.sidecar, image: { operator: { digest: "latest" } } }, /image\/operator\/digest/],
  "fewer segments than a keyring folds": [{ ...MODES.all, keyring: { auditKeep: 10 } }, /keyring\/auditKeep/],
  "a grace period that is too short": [{ ...MODES.sidecar, pod: { terminationGracePeriodSeconds: 5 } }, /Seconds'/],
  root: [{ ...MODES.sidecar, pod: { user: 0 } }, /at '\/pod\/user'/],
};

for (const [what, [values, sentence]] of Object.entries(REFUSED)) {
  t.test(`${what}: refused with a sentence`, { skip }, async (t) => {
    const { code, stderr } = await runHelm(helm, ["template", "zopp"], values);
    t.not(code, 0);
    t.match(stderr, sentence);
  });
}

t.test("a release in kube-system is refused", { skip }, async (t) => {
  const { code, stderr } = await runHelm(helm, ["template", "zopp"], MODES.sidecar, { namespace: "kube-system" });
  t.not(code, 0);
  t.match(stderr, /the release's namespace is kube-system: install the chart in a namespace of its own/);
});

function containersOf(spec: PodSpec) {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** Which volumes of which container of which pod. */
function mounts(objects: readonly Rendered[]): Record<string, string[]> {
  const entries = podsOf(objects).flatMap(({ metadata, spec }) =>
    containersOf(spec).map(({ name, volumeMounts = [] }) => [
      `${metadata.name}/${name}`,
      volumeMounts.map((mount) => mount.name).sort(),
    ]),
  );
  return Object.fromEntries(entries);
}

t.test(
  "only the keyring and the hook that makes it mount the seed, and nothing is mounted unasked",
  { skip },
  async (t) => {
    const hook = { "zopp-install/install": ["api", "seed", "seed-share"], "zopp-test/health": [] };
    const operator = ["api", "keyring-key", "keyring-token"];
    const keyring = ["api", "seed", "seed-share"];
    const sidecar = await render(helm, MODES.sidecar);
    t.strictSame(mounts(sidecar), { ...hook, "zopp/keyring": keyring, "zopp/operator": operator });
    const apart = await render(helm, MODES.all);
    t.strictSame(mounts(apart), { ...hook, "zopp-keyring/keyring": keyring, "zopp/operator": operator });
    for (const { spec } of podsOf([...sidecar, ...apart])) t.equal(spec.automountServiceAccountToken, false);
  },
);

t.test("a sidecar is a native one: the operator starts after it and ends before it", { skip }, async (t) => {
  const [pod] = podsOf([pick(await render(helm, MODES.sidecar), "Deployment", "zopp")]);
  t.strictSame(
    pod?.spec.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy]),
    [["keyring", "Always"]],
  );
  t.ok(pod?.spec.initContainers?.[0]?.args?.includes("--listen=127.0.0.1:8443"), "nobody reaches it from outside");
});

t.test("the hook's account and rights go with the hook, and Helm does not own what it made", { skip }, async (t) => {
  const objects = await render(helm, MODES.sidecar);
  const hooks = objects.filter(isHook).filter(({ metadata }) => metadata.name === "zopp-install");
  t.strictSame(hooks.map(({ kind }) => kind).sort(), ["Job", "Role", "RoleBinding", "ServiceAccount"]);
  for (const { metadata } of hooks) {
    t.equal(metadata.annotations?.["helm.sh/hook-delete-policy"], "before-hook-creation,hook-succeeded");
    t.equal(metadata.annotations?.["helm.sh/hook-output-log-policy"], "hook-failed", "Helm says why there is no seed");
  }
  t.notOk(objects.some(({ kind }) => kind === "Secret"));
});

t.test("roles that are made elsewhere are the hook's too", { skip }, async (t) => {
  const objects = await render(helm, { ...MODES.sidecar, rbac: { create: false } });
  t.strictSame(
    objects.map(({ kind }) => kind).filter((kind) => /Role/.test(kind)),
    [],
  );
});

t.test("a namespace that YAML would take for something else is a namespace", { skip }, async (t) => {
  const namespaces = ["123", "on", "null", "1e3"];
  const objects = await render(helm, { ...MODES.sidecar, namespaces });
  const roles = objects.filter(
    ({ kind, metadata }) => kind === "Role" && namespaces.includes(metadata.namespace ?? ""),
  );
  t.strictSame(roles.map(({ metadata }) => metadata.namespace).sort(), namespaces.toSorted());
  const own = await runHelm(helm, ["template", "zopp"], MODES.deployment, { namespace: "123" });
  t.equal(own.code, 0);
  t.notMatch(own.stdout, /namespace: (?:123|on|null|1e3)[\s},]/, "nor is the release's own");
});

t.test("no pod gets a token that an API server gives for a year", { skip }, async (t) => {
  const text = JSON.stringify(await render(helm, MODES.all));
  t.match(text, /"expirationSeconds":3600/);
  t.notMatch(text, /"expirationSeconds":3607/, "by which it knows what kubelet mounts unasked");
});

t.test("extra labels are on everything and never change what a pod is selected by", { skip }, async (t) => {
  const extraLabels = { team: "platform", "app.kubernetes.io/name": "other" };
  const objects = await render(helm, { ...example("hardened"), extraLabels, extraAnnotations: { note: "x" } });
  for (const { kind, metadata } of objects) {
    t.match(
      metadata,
      { labels: { team: "platform", "app.kubernetes.io/name": "zopp" }, annotations: { note: "x" } },
      kind,
    );
  }
});

t.test("images are named by registry, tag or digest", { skip }, async (t) => {
  const images = async (image: Values) => {
    const { stdout } = await runHelm(helm, ["template", "zopp"], { ...MODES.sidecar, image });
    return [...new Set([...stdout.matchAll(/image: (\S+)/g)].map(([, name]) => name))].sort();
  };
  t.strictSame(await images({}), [`zopp-keyring:${VERSION}`, `zopp-operator:${VERSION}`]);
  const digest = `sha256:${"ab".repeat(32)}`;
  t.strictSame(
    await images({ registry: "registry.example/zopp/", operator: { tag: "t", digest }, keyring: { tag: "t" } }),
    ["registry.example/zopp/zopp-keyring:t", `registry.example/zopp/zopp-operator@${digest}`],
  );
});

t.test("the schema knows the values that values.yaml has, and no others", async (t) => {
  interface Schema {
    readonly properties?: Readonly<Record<string, Schema>>;
  }
  const paths = ({ properties = {} }: Schema, prefix = ""): string[] =>
    Object.entries(properties).flatMap(([name, schema]) =>
      schema.properties === undefined ? [`${prefix}${name}`] : paths(schema, `${prefix}${name}.`),
    );
  // Helm puts `global` into every chart; the members of resources are one value
  const known = paths(JSON.parse(read("values.schema.json"))).filter((path) => path !== "global");
  const schema = known.map((path) => path.replace(/\.resources\..*/, ".resources"));
  t.strictSame(
    [...new Set(schema)].sort(),
    readValues(read("values.yaml"))
      .map(({ path }) => path)
      .sort(),
  );
});

t.test("series for each bundle are asked of the operator where they are wanted", { skip }, async (t) => {
  for (const perObject of [true, false]) {
    const deployment = pick(await render(helm, { ...MODES.sidecar, monitoring: { perObject } }), "Deployment", "zopp");
    t.equal(JSON.stringify(deployment).includes("--object-metrics=on"), perObject);
  }
});
