// What admins, and people who would like to be, do to an environment: grants, rekeys, recipients, approvals that lack,
// signatures of other versions, and older versions put back.
import {
  amendEnvironment,
  approveEnvironment,
  type EnvironmentContent,
  environmentContent,
  newEnvironment,
} from "../../crds/policy/edit.js";
import type { ZoppEnvironment } from "../../crds/types.gen.js";
import {
  DEVICES,
  type Draft,
  draft,
  ENVIRONMENTS,
  type EnvironmentName,
  namesIn,
  PEOPLE,
  type Signer,
  STRANGER,
  signingKey,
} from "./cast.js";
import { mayHe } from "./rights.js";
import type { Scene } from "./scene.js";

/** An environment as it starts: alice signs it, and its key is wrapped to the keyring. */
export function firstEnvironment(scene: Scene, environment: EnvironmentName): ZoppEnvironment {
  const keys = [scene.epoch(environment, 1, "object", ["cluster eu-1"])];
  const content: EnvironmentContent = { workspace: "acme", project: "shop", environment, access: "brokered", keys };
  const signingKeys = [signingKey({ person: "alice", device: "laptop" })];
  return scene.witnessEnvironment(newEnvironment(content, { signingKeys, now: scene.time }));
}

type Change = (content: Draft<EnvironmentContent>, scene: Scene) => string;

const grant: Change = (content, { random, now }) => {
  const subject = random.pick([...PEOPLE, "group:sre"]);
  const role = random.pick(["read", "submit", "write", "write", "admin", "audit"] as const);
  const limits = random.percent(20) ? { keys: ["IMAGE_*"] } : {};
  const expires = `${new Date(now + (1 + random.below(30)) * 3600_000).toISOString().slice(0, 19)}Z`;
  content.grants = [
    ...(content.grants ?? []),
    { subject, role, ...limits, ...(random.percent(25) ? { expires } : {}) },
  ];
  return `grants ${subject} ${role}`;
};

const revoke: Change = (content) => {
  content.grants = [];
  return "revokes all";
};

const rollback: Change = (content) => {
  content.rollback = content.rollback === "allow" ? "refuse" : "allow";
  return `says rollback: ${content.rollback}`;
};

const access: Change = (content, scene) => {
  content.access = content.access === "direct" ? "brokered" : "direct";
  rewrap(content, scene, content.access === "direct" ? readers(content, scene) : []);
  return `is ${content.access}`;
};

const rekey: Change = (content, scene) => {
  const epoch = (content.keys.at(-1)?.epoch ?? 0) + 1;
  const binding = scene.random.percent(15) ? "environment" : "object";
  const name = content.environment as EnvironmentName;
  const people = content.access === "direct" ? readers(content, scene) : [];
  content.keys = [...content.keys.slice(-3), draft(scene.epoch(name, epoch, binding, ["cluster eu-1", ...people]))];
  return `has a new epoch, bound to its ${binding}`;
};

const strangerReads: Change = (content, scene) => {
  rewrap(content, scene, [scene.random.pick([STRANGER, "cluster eu-2", "dave", "ci", "bob"])]);
  return "is wrapped to somebody else too";
};

const noCluster: Change = (content, scene) => {
  const at = scene.random.below(content.keys.length);
  content.keys = content.keys.map((key, index) => (index === at ? { ...key, sealed: [] } : key));
  return "has an epoch that this cluster cannot open";
};

/** The clusters that policy names for an environment; undefined where it does not name the environment. */
function clustersOf({ workspace }: Scene, environment: string): readonly string[] | undefined {
  const rule = workspace?.spec.environments?.find(({ name }) => name === `shop/${environment}`);
  return rule === undefined ? undefined : (rule.clusters ?? []);
}

const itsClusters: Change = (content, scene) => {
  const name = content.environment as EnvironmentName;
  const to = (clustersOf(scene, name) ?? []).map((cluster) => `cluster ${cluster}`);
  content.keys = content.keys.map((key) => draft(scene.wrapped(name, key, to)));
  return `is wrapped to ${to.join(", ") || "nobody"}, as policy says`;
};

const dropOld: Change = (content) => {
  content.keys = content.keys.slice(-1);
  return "forgets its older epochs";
};

const otherKey: Change = (content, scene) => {
  const name = content.environment as EnvironmentName;
  content.keys = content.keys.map(({ epoch, binding }) => draft(scene.epoch(name, epoch, binding, ["cluster eu-1"])));
  return "has other keys under old epochs";
};

const malformed: Change = (content) => {
  (content as Record<string, unknown>)["extra"] = 1;
  return "has an unknown field";
};

const repair: Change = (content, scene) => {
  content.access = "brokered";
  if (content.keys.at(-1)?.binding === "environment") rekey(content, scene);
  rewrap(content, scene, []);
  return "is put right";
};

const CHANGES: readonly (readonly [number, Change])[] = [
  [10, grant],
  [3, revoke],
  [9, rollback],
  [3, access],
  [5, rekey],
  [3, strangerReads],
  [4, noCluster],
  [2, itsClusters],
  [1, dropOld],
  [2, otherKey],
  [1, malformed],
  [6, repair],
];

/** Wraps the newest epoch, and what this cluster has of the older ones, to it and these. */
function rewrap(content: Draft<EnvironmentContent>, scene: Scene, people: readonly string[]): void {
  const name = content.environment as EnvironmentName;
  content.keys = content.keys.map((key) => draft(scene.wrapped(name, key, ["cluster eu-1", ...people])));
}

/** Laptops of those who may read now, for direct access. */
function readers(content: Draft<EnvironmentContent>, { model, workspace }: Scene): readonly string[] {
  if (workspace === undefined) return [];
  const where = model.where(workspace.spec, { ...content, version: 1, signatures: [] });
  const may = workspace.spec.principals.filter((principal) => mayHe(where, principal, "read"));
  return may.filter(({ devices = [] }) => devices.some(({ name }) => name === "laptop")).map(({ name }) => name);
}

/** The next thing that happens to an environment. */
export function nextEnvironment(scene: Scene): { readonly what: string; readonly object: ZoppEnvironment } {
  const { random } = scene;
  const name = random.pick(Object.keys(ENVIRONMENTS) as EnvironmentName[]);
  const made = scene.environments.filter(({ spec }) => spec.environment === name);
  const present = scene.standing.get(`acme.shop.${name}`) ?? random.pick(made);
  if (random.percent(scene.model.environments.size < 2 ? 40 : 8))
    return { what: `an older ${name} again`, object: random.pick([...made, present]) };
  const older = random.percent(8);
  const from = older ? random.pick(made) : present;
  const content = draft(environmentContent(from));
  const elsewhere = clustersOf(scene, name)?.includes("eu-1") === false && random.percent(50);
  const what = (elsewhere ? itsClusters : random.weighted(CHANGES))(content, scene);
  const author = random.percent(80)
    ? admin(scene, present)
    : { person: random.pick([...PEOPLE, STRANGER]), device: "laptop" };
  const signing = {
    signingKeys: [signingKey(author)],
    now: scene.writingTime(older ? present.spec.version : undefined),
  };
  const object = scene.witnessEnvironment(
    approved(scene, amendEnvironment(from, content as EnvironmentContent, signing), author),
  );
  const text = `${name} ${what}, signed by ${author.person}${older ? ", from an older version" : ""}`;
  if (random.percent(4)) {
    const { signatures } = random.pick(made).spec;
    return {
      what: `${text}, with the signatures of another version`,
      object: { ...object, spec: { ...object.spec, signatures } },
    };
  }
  return { what: text, object };
}

function admin(scene: Scene, { spec }: ZoppEnvironment): Signer {
  const policy = scene.workspace?.spec;
  const where = policy === undefined ? undefined : scene.model.where(policy, spec);
  const admins = where?.policy.principals.filter((principal) => mayHe(where, principal, "sign")) ?? [];
  if (admins.length === 0) return { person: "alice", device: "laptop" };
  const { name, devices = [] } = scene.random.pick(admins);
  return { person: name, device: devices[0]?.name ?? "laptop" };
}

/** Approvals where they are asked for: most often enough, else too few, the author's own or a second device's. */
function approved(scene: Scene, object: ZoppEnvironment, author: Signer): ZoppEnvironment {
  const { random, workspace } = scene;
  const rule = workspace === undefined ? undefined : scene.model.rule(workspace.spec, object.spec);
  if (workspace === undefined || rule?.approvals === undefined) return object;
  const others = namesIn(workspace.spec).filter((name) => name !== author.person);
  const persons = random.percent(70) ? others : random.some(others);
  const signers = persons.map((person): Signer => ({ person, device: "laptop" }));
  const own = DEVICES.filter((device) => device !== author.device).map((device): Signer => ({ ...author, device }));
  return [...signers, ...(random.percent(20) ? own : [])].reduce(
    (signed, one) => approveEnvironment(signed, signingKey(one)),
    object,
  );
}
