// A small signed world for tests: people, a workspace, an environment, bundles, all real cryptography.
// Deterministic seeds, so that a failing test can be run again; never used outside tests, demo and benchmark.
import { newBundle, retireEntry, setEntry, signHeader } from "../crds/bundle/edit.js";
import { type Identity, identityFromSeed, newEnvironmentKey } from "../crds/crypto/identity.js";
import { sha256, utf8 } from "../crds/crypto/primitives.js";
import { wrapEnvironmentKey } from "../crds/crypto/wrap.js";
import { type EnvironmentContent, newEnvironment, newWorkspace, type WorkspaceContent } from "../crds/policy/edit.js";
import { type AcceptedEnvironment, readEnvironment } from "../crds/policy/environment.js";
import { ownersDigest, ownersSet } from "../crds/policy/roster.js";
import { type AcceptedWorkspace, readWorkspace } from "../crds/policy/workspace.js";
import type { Principal, SecretSpec, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../crds/types.gen.js";

/** The moment at which the fixtures were written. */
export const NOW = new Date("2026-11-23T10:11:12Z");

/** The seed of a named person's device (or of a keyring): the same name gives the same one. */
export function seedOf(name: string): Uint8Array {
  return sha256(utf8(`fixture ${name}`));
}

/** The identity of that seed. */
export function identityOf(name: string): Identity {
  return identityFromSeed(seedOf(name));
}

/** A person with one device (`laptop`), or with those that are named. */
export function person(name: string, devices: readonly string[] = ["laptop"]): Principal {
  return {
    name,
    kind: "person",
    devices: devices.map((device) => {
      const { signing, encryption } = identityOf(device === "laptop" ? name : `${name}/${device}`);
      return { name: device, signingKey: signing.verifyKey.text, encryptionKey: encryption.publicKey.text };
    }),
  };
}

/** A cluster's line in a policy, with the keys of the fixture keyring of that name. */
export function cluster(name: string, log = "log-1"): NonNullable<ZoppWorkspace["spec"]["clusters"]>[number] {
  const { signing, encryption } = identityOf(`cluster ${name}`);
  return { name, signingKey: signing.verifyKey.text, encryptionKey: encryption.publicKey.text, log };
}

/** The content of the workspace `acme`: alice owns and administers, bob writes shop, ci submits IMAGE_*, carol approves. */
export function acmeContent(changes: Partial<WorkspaceContent> = {}): WorkspaceContent {
  return {
    owners: { threshold: 1, principals: ["alice"] },
    principals: [
      person("alice"),
      person("bob"),
      { ...person("ci"), kind: "service" },
      person("carol", ["laptop", "phone"]),
    ],
    groups: [{ name: "sre", members: ["bob", "carol"] }],
    grants: [
      { subject: "alice", role: "admin", scope: "*" },
      { subject: "bob", role: "write", scope: "shop" },
      { subject: "ci", role: "submit", scope: "shop/production", keys: ["IMAGE_*"] },
    ],
    clusters: [cluster("eu-1")],
    environments: [{ name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"] }],
    ...changes,
  };
}

/** The workspace `acme`, version 1, signed by alice (or by those named). */
export function acme(
  changes: Partial<WorkspaceContent> = {},
  signers: readonly string[] = ["alice"],
  now = NOW,
): ZoppWorkspace {
  return newWorkspace("acme", acmeContent(changes), {
    signingKeys: signers.map((name) => identityOf(name).signing),
    now,
  });
}

/** The owners' digest of a workspace object. */
export function digestOfOwners(object: ZoppWorkspace): string {
  return ownersDigest(object.metadata.name, ownersSet(object.spec));
}

/** The private and public key of the fixture environment; one per process, since they are random. */
export const environmentKey = { xwing: newEnvironmentKey("xwing"), x25519: newEnvironmentKey("x25519") };

/** `acme.shop.production` with epoch 1 wrapped to cluster eu-1, signed by alice (or by those named). */
export function production(
  changes: Partial<EnvironmentContent> = {},
  signers: readonly string[] = ["alice"],
  kem: "xwing" | "x25519" = "xwing",
): ZoppEnvironment {
  const context = { workspace: "acme", project: "shop", environment: "production", epoch: 1 };
  const key = environmentKey[kem];
  const sealed = [wrapEnvironmentKey(identityOf("cluster eu-1").encryption.publicKey, context, key.privateKey)];
  const content: EnvironmentContent = {
    workspace: "acme",
    project: "shop",
    environment: "production",
    access: "brokered",
    keys: [{ epoch: 1, binding: "object", public: key.public.text, sealed }],
    ...changes,
  };
  return newEnvironment(content, { signingKeys: signers.map((name) => identityOf(name).signing), now: NOW });
}

/** A policy ready for use: workspace and environment as they would be once accepted. */
export interface World {
  readonly workspace: AcceptedWorkspace;
  readonly environment: AcceptedEnvironment;
}

/** The fixture policy, read but not judged. */
export function world(workspace: ZoppWorkspace = acme(), environment: ZoppEnvironment = production()): World {
  return { workspace: readWorkspace(workspace), environment: readEnvironment(environment) };
}

/** How a fixture bundle is written. */
export interface BundleOptions extends Pick<SecretSpec, "target" | "render" | "restart" | "generate" | "rotation"> {
  readonly namespace?: string;
  readonly name?: string;
  /** Who signs header and entries. */
  readonly by?: string;
  readonly now?: Date;
}

/** A value as tests give it: text, or bytes. */
export type Value = string | Uint8Array;

/** A signed bundle (shop-prod/api unless said otherwise) with these values. */
export function bundle(
  environment: AcceptedEnvironment,
  values: Readonly<Record<string, Value>>,
  options: BundleOptions = {},
): ZoppSecret {
  const { namespace = "shop-prod", name = "api", by = "alice", now = NOW, ...header } = options;
  const writing = { environment, signingKey: identityOf(by).signing, now };
  const start = newBundle({ namespace, name, ...header }, writing);
  return Object.entries(values).reduce((secret, [key, value]) => withValue(secret, key, value, writing), start);
}

type Writing = Parameters<typeof retireEntry>[2];

/** The bundle with one value set. */
export function withValue(
  secret: ZoppSecret,
  key: string,
  value: Value,
  writing: Parameters<typeof setEntry>[3],
): ZoppSecret {
  const entry = setEntry(secret, key, typeof value === "string" ? utf8(value) : value, writing);
  return { ...secret, spec: { ...secret.spec, data: { ...secret.spec.data, [key]: entry } } };
}

/** The bundle with one key retired by a signed tombstone. */
export function withTombstone(secret: ZoppSecret, key: string, writing: Writing): ZoppSecret {
  const entry = retireEntry(secret, key, writing);
  return { ...secret, spec: { ...secret.spec, data: { ...secret.spec.data, [key]: entry } } };
}

/** The bundle with changed header fields, signed again. */
export function withHeader(secret: ZoppSecret, changes: Partial<SecretSpec>, writing: Writing): ZoppSecret {
  const changed = { ...secret, spec: { ...secret.spec, ...changes } };
  return { ...changed, spec: { ...changed.spec, header: signHeader(changed, writing) } };
}

/** How somebody writes in the fixture world. */
export function writingBy(name: string, environment: AcceptedEnvironment, now = NOW): Writing {
  return { environment, signingKey: identityOf(name).signing, now };
}
