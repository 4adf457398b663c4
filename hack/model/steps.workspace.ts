// What owners, and people who would like to be, do to a workspace: honest changes, changes that lack signatures, forks,
// older versions put back, and a former owner's return.
import { amendWorkspace, newWorkspace, type WorkspaceContent, workspaceContent } from "../../crds/policy/edit.js";
import { signStatement, workspaceStatement } from "../../crds/statement.js";
import type { WorkspaceSpec, ZoppWorkspace } from "../../crds/types.gen.js";
import { CLUSTERS, DEVICES, draft, namesIn, principalOf, type Signer, STRANGER, signingKey } from "./cast.js";
import { CHANGES } from "./changes.workspace.js";
import { workspaceClaim } from "./claims.js";
import { madeIn } from "./reference.shape.js";
import type { Scene } from "./scene.js";

/** The workspace as it starts: alice owns it, and there are two environments. */
export function firstWorkspace(scene: Scene): ZoppWorkspace {
  const content: WorkspaceContent = {
    owners: { threshold: 1, principals: ["alice"] },
    principals: [principalOf("alice"), principalOf("bob"), principalOf("carol"), principalOf("ci", ["laptop"])],
    groups: [{ name: "sre", members: ["bob", "carol"] }],
    grants: [
      { subject: "alice", role: "admin", scope: "*" },
      { subject: "bob", role: "write", scope: "shop" },
      { subject: "ci", role: "submit", scope: "shop/production", keys: ["IMAGE_*"] },
    ],
    clusters: CLUSTERS.map((name) => scene.clusterLine(name)),
    environments: [
      { name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"] },
      { name: "shop/dev", namespaces: ["shop-dev*"], clusters: ["eu-1"] },
    ],
  };
  return scene.witnessWorkspace(newWorkspace("acme", content, { signingKeys: keys(["alice"]), now: scene.time }));
}

/** The next thing that happens to the workspace. */
export function nextWorkspace(scene: Scene): { readonly what: string; readonly object: ZoppWorkspace } {
  const { random, workspaces } = scene;
  const present = scene.workspace ?? random.pick(workspaces);
  if (random.percent(6)) return { what: "an older workspace again", object: random.pick(workspaces) };
  if (random.percent(scene.model.workspace === undefined ? 20 : 6)) return comeback(scene, present);
  if (random.percent(scene.model.workspace === undefined ? 50 : 2)) return strangers(scene);
  const older = random.percent(8);
  const base = older ? random.pick(workspaces) : present;
  const content = draft(workspaceContent(base));
  const what = random.weighted(CHANGES)(content, scene);
  const before = base.spec.owners.principals;
  const honest = [...new Set([...before, ...content.owners.principals])];
  const signers = random.percent(85) ? honest : forgers(scene, base, honest);
  const signing = {
    signingKeys: keys(signers, scene),
    now: scene.writingTime(older ? present.spec.version : undefined),
  };
  const object = scene.witnessWorkspace(amendWorkspace(base, content as WorkspaceContent, signing));
  return { what: `${what}, signed by ${signers.join(", ")}${older ? ", from an older version" : ""}`, object };
}

/** Not all who should sign: some owners, one who is none, or a stranger. */
function forgers({ random }: Scene, base: ZoppWorkspace, honest: readonly string[]): readonly string[] {
  const others = [...namesIn(base.spec), STRANGER].filter((name) => !honest.includes(name));
  const stranger = [random.pick(others.length === 0 ? [STRANGER] : others)];
  return honest.length === 1 ? stranger : random.pick([honest.slice(1), honest.slice(0, 1), stranger]);
}

/** A workspace that only its maker knows, under a name of its own or under ours. */
function strangers(scene: Scene): { readonly what: string; readonly object: ZoppWorkspace } {
  const name = scene.random.pick(["evil", "acme", "acme"]);
  const content = { owners: { threshold: 1, principals: [STRANGER] }, principals: [principalOf(STRANGER)] };
  const object = newWorkspace(name, content, { signingKeys: keys([STRANGER]), now: scene.time });
  for (const { by, value } of object.spec.signatures)
    scene.notary.witness(by, value, workspaceClaim(name, object.spec));
  return { what: `a stranger's workspace ${name}`, object };
}

/** Whoever owned the workspace once signs a next version alone, with every step that he ever saw. */
function comeback(scene: Scene, present: ZoppWorkspace): { readonly what: string; readonly object: ZoppWorkspace } {
  const { random } = scene;
  const { owners: former, principals } = random.pick(scene.workspaces).spec;
  const digest = workspaceStatement("acme", present.spec).hash;
  const others = present.spec.principals.filter(({ name }) => !former.principals.includes(name));
  const steps = scene.workspaces.flatMap(({ spec }) => spec.rotations ?? []);
  const unlike = new Map(steps.map((step) => [JSON.stringify(step), step]));
  const known = [...unlike.values()].sort((one, other) => (madeIn(one) < madeIn(other) ? -1 : 1)).slice(-8);
  const direct = random.percent(30);
  const spec: WorkspaceSpec = {
    ...present.spec,
    version: present.spec.version + 1 + random.below(9),
    ancestors: direct ? [digest] : ["0".repeat(64), digest],
    owners: former,
    principals: [...principals.filter(({ name }) => former.principals.includes(name)), ...others],
    rotations: random.percent(50) ? known : known.filter(() => random.percent(40)),
    signatures: [],
  };
  return {
    what: `${former.principals.join(", ")} come back by steps of old`,
    object: scene.witnessWorkspace(signed(spec, former.principals, scene)),
  };
}

function signed(spec: WorkspaceSpec, names: readonly string[], scene: Scene): ZoppWorkspace {
  const statement = workspaceStatement("acme", spec);
  const signatures = keys(names, scene).map((key) => ({ by: key.verifyKey.kid, value: signStatement(key, statement) }));
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppWorkspace",
    metadata: { name: "acme" },
    spec: { ...spec, signatures },
  };
}

/** Each signs with one of his devices; now and then with both. */
function keys(names: readonly string[], scene?: Scene) {
  const devices = scene?.random.pick([DEVICES, ["laptop"], ["laptop"], ["phone"]]) ?? ["laptop"];
  return names.flatMap((name) => devices.map((one): Signer => ({ person: name, device: one }))).map(signingKey);
}
