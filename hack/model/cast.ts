// Who and what there is in a history: people and their devices, environments, places, clusters, and their keys.
import type { Identity } from "../../crds/crypto/identity.js";
import type { Principal, WorkspaceSpec } from "../../crds/types.gen.js";
import { identityOf, person } from "../fixtures.js";
import type { Place } from "./claims.js";

/** Everybody who may come to be in a policy, and one who never is. */
export const PEOPLE = ["alice", "bob", "carol", "dave", "erin", "ci"] as const;
export const STRANGER = "mallory";
export const DEVICES = ["laptop", "phone"] as const;
export const KEYS = ["A", "B", "DB_PASSWORD", "IMAGE_TAG"] as const;
/** The two environments, and where their bundles may lie. */
export const ENVIRONMENTS = { production: "shop-prod", dev: "shop-dev" } as const;
export type EnvironmentName = keyof typeof ENVIRONMENTS;
export const PLACES: readonly Place[] = Object.values(ENVIRONMENTS).flatMap((namespace) =>
  ["api", "web"].map((name) => ({ namespace, name })),
);
/** The clusters: the keyring is that of the first. */
export const CLUSTERS = ["eu-1", "eu-2"] as const;

/** One device of a person: the fixtures know the laptop by the person's own name. */
export interface Signer {
  readonly person: string;
  readonly device: string;
}

const identities = new Map<string, Identity>();

/** The keys of a device or, by `cluster NAME`, of a keyring; made once, since that is slow. */
export function keysOf(name: string): Identity {
  const known = identities.get(name) ?? identityOf(name);
  identities.set(name, known);
  return known;
}

/** The signing key of somebody's device. */
export function signingKey({ person: name, device }: Signer) {
  return keysOf(device === "laptop" ? name : `${name}/${device}`).signing;
}

const principals = new Map(
  [...PEOPLE, STRANGER].map((name): [string, Principal] => {
    const kind = name === "ci" ? "service" : "person";
    return [name, { ...person(name, DEVICES), kind }];
  }),
);

/** A principal with both devices, or with those that are named. */
export function principalOf(name: string, devices: readonly string[] = DEVICES): Principal {
  const whole = principals.get(name);
  if (whole === undefined) throw new TypeError(`nobody is called ${name}`);
  return { ...whole, devices: (whole.devices ?? []).filter((device) => devices.includes(device.name)) };
}

const kids = new Map<string, string>();
for (const name of [...PEOPLE, STRANGER]
  .flatMap((one) => [one, `${one}/phone`])
  .concat(CLUSTERS.map((one) => `cluster ${one}`))) {
  const { signing, encryption } = keysOf(name);
  kids.set(signing.verifyKey.text, signing.verifyKey.kid);
  kids.set(encryption.publicKey.text, encryption.publicKey.kid);
}

/** Lets a new key be found by its text. */
export function introduce(text: string, kid: string): void {
  kids.set(text, kid);
}

/** The kid of a public key that somebody here has. */
export function kidOf(text: string): string {
  return kids.get(text) ?? "unknown";
}

/** A copy that may be changed. */
export type Draft<T> = T extends readonly (infer Item)[]
  ? Draft<Item>[]
  : T extends object
    ? { -readonly [Name in keyof T]: Draft<T[Name]> }
    : T;

/** A deep copy that may be changed. */
export function draft<T>(value: T): Draft<T> {
  return structuredClone(value) as Draft<T>;
}

/** The names of a policy's principals. */
export function namesIn(policy: WorkspaceSpec): readonly string[] {
  return policy.principals.map(({ name }) => name);
}
