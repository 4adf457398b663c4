// Who of the chart's pods elects one that works, by which Lease, and how they are replaced: rendered by Helm, looked at as objects.
import t from "tap";
import { MODES, pick, podsOf, type Rendered, render, type Values } from "./chart.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

/** What the containers of the only Deployment are told of elections. */
function toldOf(objects: readonly Rendered[]) {
  const [pod] = podsOf([pick(objects, "Deployment", "zopp")]);
  return [...(pod?.spec.initContainers ?? []), ...(pod?.spec.containers ?? [])].flatMap(({ name, args = [] }) =>
    args.filter((arg) => /elect|shards/.test(arg)).map((arg) => `${name} ${arg}`),
  );
}

/** The Leases that each Role may take. */
function leasesOf(objects: readonly Rendered[]) {
  const roles = objects.filter(({ kind }) => kind === "Role") as unknown as {
    readonly metadata: { readonly name: string };
    readonly rules: readonly {
      readonly resources: string[];
      readonly resourceNames?: string[];
      readonly verbs: string[];
    }[];
  }[];
  return roles.flatMap(({ metadata: { name }, rules }) =>
    rules.filter(({ resources }) => resources.includes("leases")).map((rule) => [name, rule.resourceNames, rule.verbs]),
  );
}

t.test(
  "a sidecar keyring whose pod is the only one elects nothing, and an upgrade ends it before the next one starts",
  { skip },
  async (t) => {
    const objects = await render(helm, MODES.sidecar);
    t.match(pick(objects, "Deployment", "zopp").spec, { replicas: 1, strategy: { type: "Recreate" } });
    t.strictSame(toldOf(objects), []);
    t.strictSame(leasesOf(objects), []);
  },
);

t.test("several operators with their keyrings elect both, and are replaced one by one", { skip }, async (t) => {
  const objects = await render(helm, { ...MODES.sidecar, replicas: 2, podDisruptionBudget: { enabled: true } });
  const { spec } = pick(objects, "Deployment", "zopp");
  t.match(spec, { replicas: 2, strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0 } } });
  t.match(JSON.stringify(spec), /"topologySpreadConstraints"/, "they are on several nodes");
  t.strictSame(toldOf(objects), [
    "keyring --leader-elect=zopp-system/zopp-keyring",
    "operator --leader-elect=zopp-system/zopp-operator",
    "operator --keyring-elects=on",
  ]);
  const verbs = ["get", "watch", "create", "patch"];
  t.strictSame(
    leasesOf(objects),
    [
      ["zopp-keyring", ["zopp-keyring"], verbs],
      ["zopp-operator", ["zopp-operator"], verbs],
    ],
    "the account may take these two, and no other",
  );
  for (const name of ["zopp-keyring", "zopp-operator"])
    t.match(pick(objects, "RoleBinding", name), { subjects: [{ name: "zopp" }] });
  t.match(pick(objects, "PodDisruptionBudget", "zopp").spec, { maxUnavailable: 1 });
});

t.test("keyrings with pods of their own elect one that serves, and are replaced one by one", { skip }, async (t) => {
  for (const replicas of [1, 2]) {
    const objects = await render(helm, { ...MODES.all, keyring: { replicas } });
    const keyring = pick(objects, "Deployment", "zopp-keyring");
    const args = podsOf([keyring])[0]?.spec.containers[0]?.args ?? [];
    t.ok(
      args.includes("--leader-elect=zopp-system/zopp-keyring"),
      "one does so too: a second one may come at any time",
    );
    t.match(keyring.spec, { replicas, strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0 } } });
    t.equal(
      /"topologySpreadConstraints"/.test(JSON.stringify(keyring.spec)),
      replicas > 1,
      "several: on several nodes",
    );
    const { rules } = pick(objects, "Role", "zopp-keyring") as unknown as { rules: { resources: string[] }[] };
    t.match(
      rules.find(({ resources }) => resources.includes("leases")),
      { resourceNames: ["zopp-keyring"], verbs: ["get", "watch", "create", "patch"] },
      "it may take that Lease, and no other",
    );
  }
});

t.test("operators without a keyring of their own elect a leader, and are replaced one by one", { skip }, async (t) => {
  const flag = "--leader-elect=zopp-system/zopp-operator";
  const flags = (objects: readonly Rendered[]) =>
    podsOf([pick(objects, "Deployment", "zopp")])[0]?.spec.containers[0]?.args ?? [];
  t.notOk(flags(await render(helm, MODES.sidecar)).some((arg) => arg.startsWith("--leader-elect")));
  for (const replicas of [1, 2]) {
    const objects = await render(helm, { ...MODES.all, replicas });
    t.ok(flags(objects).includes(flag), "one does so too: a second one may come at any time");
    const { spec } = pick(objects, "Deployment", "zopp");
    t.match(spec, { replicas, strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0 } } });
    t.equal(/"topologySpreadConstraints"/.test(JSON.stringify(spec)), replicas > 1, "several are on several nodes");
  }
});

t.test(
  "each shard has a Lease that its operators may take, also those of another number before",
  { skip },
  async (t) => {
    const leases = async (values: Values) => {
      const objects = await render(helm, values);
      const args = podsOf([pick(objects, "Deployment", "zopp")])[0]?.spec.containers[0]?.args ?? [];
      const { rules } = pick(objects, "Role", "zopp-operator") as unknown as { rules: { resourceNames: string[] }[] };
      return { rules, shards: args.find((arg) => arg.startsWith("--shards")) };
    };
    const verbs = ["get", "watch", "create", "patch"];
    const resourceNames = ["zopp-operator", ...Array.from({ length: 15 }, (_, at) => `zopp-operator-${at + 1}`)];
    const rules = [{ resourceNames, verbs }];
    t.match(await leases(MODES.all), { shards: "--shards=1", rules });
    t.match(await leases({ ...MODES.all, replicas: 4, operator: { shards: 3 } }), { shards: "--shards=3", rules });
  },
);
