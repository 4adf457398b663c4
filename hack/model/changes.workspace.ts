// What becomes of a workspace's policy from one version to the next, whoever signs it: people, groups, grants, devices, owners,
// rules of environments, and now and then something that no policy may say.
import type { WorkspaceContent } from "../../crds/policy/edit.js";
import type { WorkspaceEnvironment, WorkspaceSpec } from "../../crds/types.gen.js";
import { CLUSTERS, DEVICES, type Draft, draft, PEOPLE, principalOf } from "./cast.js";
import type { Scene } from "./scene.js";

/** A change of a policy's content; says what it was. */
type Change = (content: Draft<WorkspaceContent>, scene: Scene) => string;

const grant: Change = (content, { random, now }) => {
  const subject = random.percent(30)
    ? "group:sre"
    : random.pick([...content.principals.map(({ name }) => name), "dave"]);
  const role = random.pick(["read", "submit", "write", "write", "admin", "audit"] as const);
  const scope = random.pick(["*", "shop", "shop/production", "shop/dev", "shop/dev", "other"]);
  const limits = random.percent(25) ? { keys: [random.pick(["IMAGE_*", "A", "*_PASSWORD", "D*D"])] } : {};
  const ends = random.percent(25) ? { expires: endOf(now, 1 + random.below(40)) } : {};
  content.grants = [...(content.grants ?? []), { subject, role, scope, ...limits, ...ends }];
  return `grant ${subject} ${role} on ${scope}`;
};

const revoke: Change = (content, { random }) => {
  content.grants = random.percent(80) ? (content.grants ?? []).filter(() => !random.percent(25)) : [];
  if (random.percent(70)) content.grants.push({ subject: "alice", role: "admin", scope: "*" });
  return "revoke some";
};

const group: Change = (content, { random }) => {
  content.groups = [{ name: "sre", members: [...random.some(content.principals.map(({ name }) => name))] }];
  return `group sre is ${content.groups[0]?.members.join(", ")}`;
};

const join: Change = (content, { random, now }) => {
  const absent = PEOPLE.filter((name) => content.principals.every((principal) => principal.name !== name));
  if (absent.length === 0) return "nobody joins";
  const name = random.pick(absent);
  const ends = random.percent(20) ? { expires: endOf(now, 1 + random.below(40)) } : {};
  content.principals.push({ ...draft(principalOf(name, random.percent(50) ? DEVICES : ["laptop"])), ...ends });
  content.grants = [
    ...(content.grants ?? []),
    { subject: name, role: random.pick(["write", "submit"]), scope: "shop" },
  ];
  return `${name} joins`;
};

const leave: Change = (content, { random }) => {
  const leavers = content.principals.filter(({ name }) => !content.owners.principals.includes(name));
  if (leavers.length === 0) return "nobody leaves";
  const { name } = random.pick(leavers);
  content.principals = content.principals.filter((principal) => principal.name !== name);
  content.groups = (content.groups ?? []).map((one) => ({
    ...one,
    members: one.members.filter((member) => member !== name),
  }));
  if (random.percent(50)) content.grants = (content.grants ?? []).filter(({ subject }) => subject !== name);
  return `${name} leaves`;
};

const device: Change = (content, { random }) => {
  const principal = random.pick(content.principals);
  principal.devices = draft([
    ...(principalOf(principal.name, random.pick([DEVICES, ["laptop"], ["phone"]])).devices ?? []),
  ]);
  return `${principal.name} has ${principal.devices.map(({ name }) => name).join(", ")}`;
};

const owners: Change = (content, { random }) => {
  const names = content.principals.map(({ name }) => name).filter((name) => name !== "ci");
  const chosen = random.percent(40) ? ["alice"].filter((name) => names.includes(name)) : [...random.some(names)];
  const principals = chosen.length === 0 ? [random.pick(names)] : chosen;
  content.owners = { threshold: 1 + random.below(Math.min(2, principals.length)), principals };
  return `owners are ${content.owners.threshold} of ${principals.join(", ")}`;
};

/** A change of what owners allow one environment, and demand of it. */
type Ruling = (rule: Draft<WorkspaceEnvironment>, scene: Scene) => string;

const approvals: Ruling = (rule, { random }) => {
  delete rule.approvals;
  if (random.percent(40)) return "asks for no approvals";
  const approvers = random.pick([["group:sre"], ["alice", "bob", "carol"]]);
  rule.approvals = { required: 1 + random.below(2), approvers };
  return `asks for ${rule.approvals.required} approvals`;
};

const minEpoch: Ruling = (rule, { random }) => {
  rule.minEpoch = 1 + random.below(3);
  return `has the lowest epoch ${rule.minEpoch}`;
};

const minVersion: Ruling = (rule, { standing }) => {
  rule.minVersion = standing.get(`acme.${rule.name.replace("/", ".")}`)?.spec.version ?? 1;
  return "has its version as the lowest";
};

const clusters: Ruling = (rule, { random }) => {
  rule.clusters = [...random.some(CLUSTERS)];
  return `names the clusters ${rule.clusters.join(", ")}`;
};

const namespaces: Ruling = (rule, { random }) => {
  rule.namespaces = [random.pick(["shop-prod", "shop-dev*", "shop-x"])];
  return `serves ${rule.namespaces.join()}`;
};

const rule: Change = (content, scene) => {
  const { environments = [] } = content;
  if (environments.length === 0) return repaired(content, scene);
  const environment = scene.random.pick(environments);
  const rulings: [number, Ruling][] = [
    [5, approvals],
    [1, minEpoch],
    [1, minVersion],
    [2, clusters],
    [1, namespaces],
  ];
  return `${environment.name} ${scene.random.weighted(rulings)(environment, scene)}`;
};

const unnamed: Change = (content, { random }) => {
  const gone = random.pick(content.environments ?? [])?.name;
  content.environments = (content.environments ?? []).filter(({ name }) => name !== gone);
  return `${gone} is there no more`;
};

const exchanged: Change = (content) => {
  const patterns = (content.environments ?? []).map((one) => one.namespaces).reverse();
  content.environments = (content.environments ?? []).map((one, at) => ({ ...one, namespaces: patterns[at] ?? [] }));
  return "environments exchange their namespaces";
};

/** What somebody does who wants everything to work again. */
const repaired: Change = (content, scene) => {
  content.environments = draft(firstRules(scene));
  content.clusters = CLUSTERS.map((name) => draft(scene.clusterLine(name)));
  delete content.expires;
  content.grants = [
    ...(content.grants ?? []).filter(({ keys = [] }) => keys.length === 0),
    { subject: "alice", role: "admin", scope: "*" },
  ];
  return "all is put right";
};

function firstRules(scene: Scene): NonNullable<WorkspaceSpec["environments"]> {
  const approvals = { required: 1, approvers: ["alice", "bob", "carol"] };
  return [
    {
      name: "shop/production",
      namespaces: ["shop-prod"],
      clusters: ["eu-1"],
      ...(scene.random.percent(50) ? { approvals } : {}),
    },
    { name: "shop/dev", namespaces: ["shop-dev*"], clusters: ["eu-1"] },
  ];
}

const end: Change = (content, { random, now }) => {
  if (content.expires !== undefined) delete content.expires;
  else content.expires = endOf(now, random.percent(30) ? -1 : random.below(12));
  return `the policy ends ${content.expires ?? "never"}`;
};

const twin: Change = (content) => {
  const [first, second] = content.principals;
  if (first === undefined || second === undefined) return "no twins";
  second.devices = draft([...(first.devices ?? [])]);
  return `${second.name} has the keys of ${first.name}`;
};

const capture: Change = (content, { random }) => {
  const namespaces = [random.pick(["shop-prod", "shop-*", "kube-system", "zopp-system", "shop-dev-1"])];
  const others = (content.environments ?? []).filter(({ name }) => name !== "shop/evil");
  content.environments = [...others, { name: "shop/evil", namespaces, clusters: ["eu-1"] }];
  return `shop/evil asks for ${namespaces[0]}`;
};

const malformed: Change = (content) => {
  (content as Record<string, unknown>)["extra"] = 1;
  return "an unknown field";
};

/** What may become of a policy, by weight. */
export const CHANGES: readonly (readonly [number, Change])[] = [
  [12, grant],
  [6, revoke],
  [6, group],
  [8, join],
  [6, leave],
  [6, device],
  [8, owners],
  [7, rule],
  [1, unnamed],
  [4, exchanged],
  [9, repaired],
  [3, end],
  [1, twin],
  [2, capture],
  [1, malformed],
];

function endOf(now: number, hours: number): string {
  return `${new Date(now + hours * 3600_000).toISOString().slice(0, 19)}Z`;
}
