// The signed world of the vectors with whole objects: small, and the same whenever it is made.
// Sealing is randomised, so sealed values and wrapped keys are those of entries.json and wraps.json; the rest is signed again.
import { encodeBase64 } from "../crds/crypto/encoding.js";
import { decryptionKeyFromRaw, type Identity, identityFromSeed } from "../crds/crypto/identity.js";
import type { Kem } from "../crds/crypto/keys.js";
import { sha256, utf8 } from "../crds/crypto/primitives.js";
import type { ErrorCode } from "../crds/errors.js";
import type { WorkspaceContent } from "../crds/policy/edit.js";
import type { EnvironmentKey, Principal, Signature, ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import { acme, acmeContent, identityOf, NOW, person, production } from "./fixtures.js";
import {
  type EntryVector,
  type ObjectVector,
  type ObjectVectors,
  readVectors,
  unbase64,
  type WrapVector,
} from "./vectors.js";

/** When the vectors are judged, unless they say otherwise: a minute after the policy was signed. */
export const LATER = new Date(NOW.getTime() + 60_000);

const entries = readVectors<EntryVector>("entries.json").filter(({ accept }) => accept);
const wraps = readVectors<WrapVector>("wraps.json").filter(({ accept }) => accept);

/** The first sealed value of entries.json at this place in `acme/shop/production`. */
export function sealedAt(kem: Kem, epoch: number, place: Omit<EntryVector["place"], EnvironmentPart>): string {
  const wanted = { workspace: "acme", project: "shop", environment: "production", epoch, ...place };
  const found = entries.find((entry) => entry.kem === kem && sameMembers(entry.place, wanted));
  if (found === undefined) throw new Error(`entries.json holds no ${kem} value at ${JSON.stringify(wanted)}`);
  return found.sealed;
}

type EnvironmentPart = "workspace" | "project" | "environment" | "epoch";

function sameMembers(one: object, other: object): boolean {
  const text = (object: object): string => JSON.stringify(Object.entries(object).toSorted());
  return text(one) === text(other);
}

/** Another sealed value at the same place and version as the first one of its kind. */
export const otherSealed: string = entries.find(({ title }) => title === "x25519: no bytes at all")?.sealed ?? "";

function wrapOf(kem: Kem, epoch: number): WrapVector {
  const found = wraps.find(({ public: text, place }) => text.startsWith(kem) && place.epoch === epoch);
  if (found === undefined) throw new Error(`wraps.json holds no ${kem} key of epoch ${epoch}`);
  return found;
}

/** The identity to which all keys of wraps.json are wrapped: the keyring of cluster eu-1. */
export const keyring: Identity = identityFromSeed(unbase64(wrapOf("x25519", 2).seed));

/** An epoch of the environment as it stands in its resource, its key wrapped to that keyring. */
export function epochOf(kem: Kem, epoch: number): EnvironmentKey {
  const { public: text, to, enc, wrapped } = wrapOf(kem, epoch);
  return { epoch, binding: "object", public: text, sealed: [{ to, enc, wrapped }] };
}

/** A person of the fixture world whose devices are sealed to with X25519, which makes a policy ten times smaller. */
export function compact(principal: Principal): Principal {
  const devices = (principal.devices ?? []).map((device) => {
    const seed = sha256(utf8(`vector ${principal.name} ${device.name}`));
    return { ...device, encryptionKey: decryptionKeyFromRaw("x25519", seed).publicKey.text };
  });
  return { ...principal, devices };
}

/** The people of the fixture workspace, compact. */
export const people: readonly Principal[] = acmeContent().principals.map(compact);

/** The people with one of them changed. */
export function peopleWith(name: string, changes: Partial<Principal>): readonly Principal[] {
  return people.map((principal) => (principal.name === name ? { ...principal, ...changes } : principal));
}

/** A person with one compact device, beside those of the fixture workspace. */
export const newcomer = (name: string): Principal => compact(person(name));

/** The cluster that the environment's keys are wrapped to. */
export const eu1 = {
  name: "eu-1",
  signingKey: keyring.signing.verifyKey.text,
  encryptionKey: keyring.encryption.publicKey.text,
  log: "log-1",
};

/** The workspace `acme` without its cluster, signed by alice or by those named. */
export function policy(changes: Partial<WorkspaceContent> = {}, signers: readonly string[] = ["alice"]): ZoppWorkspace {
  return acme({ principals: people, clusters: [], ...changes }, signers);
}

/** The owners' rule for the environment that all vectors are about. */
export const rule = { name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"] };

/** The workspace with the cluster and with changes of the environment's rule, as environments and bundles need it. */
export function policyWith(changes: object = {}, content: Partial<WorkspaceContent> = {}): ZoppWorkspace {
  return policy({ clusters: [eu1], environments: [{ ...rule, ...changes }], ...content });
}

/** The environment with one epoch, signed by alice or by those named. */
export function environment(
  changes: Partial<Parameters<typeof production>[0]> = {},
  signers: readonly string[] = ["alice"],
): ZoppEnvironment {
  return production({ keys: [epochOf("x25519", 2)], ...changes }, signers);
}

/** Who signs, as the functions that write policy take it. */
export const signedBy = (names: readonly string[], now = LATER) => ({
  signingKeys: names.map((name) => identityOf(name).signing),
  now,
});

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The signature R ‖ S + L: it stands for the same as R ‖ S, and only careless readers take it. */
export function plusOrder(signature: string): string {
  const bytes = unbase64(signature);
  let rest = ORDER;
  let carry = 0;
  for (let at = 32; at < 64; at += 1, rest >>= 8n) {
    const sum = (bytes[at] ?? 0) + Number(rest & 255n) + carry;
    bytes[at] = sum & 255;
    carry = sum >> 8;
  }
  return encodeBase64(bytes);
}

/** Signatures with the first one changed. */
export function firstChanged(signatures: readonly Signature[], change: (value: string) => string): Signature[] {
  return signatures.map(({ by, value }, at) => ({ by, value: at === 0 ? change(value) : value }));
}

/** A vector that is accepted with a digest. */
export function accepted<G>(name: string, why: string, digest: string, given: Given<G>): ObjectVector<G> {
  return { name, why, given: inOrder(given), expected: { digest } };
}

/** A vector that is refused with a code. */
export function refused<G>(name: string, why: string, code: ErrorCode, given: Given<G>): ObjectVector<G> {
  return { name, why, given: inOrder(given), expected: { code } };
}

type Given<G> = G & { readonly object: unknown; readonly now?: string };

/** What is judged comes last, after what it is judged against. */
function inOrder<G>({ object, now = textOf(LATER), ...given }: Given<G>): ObjectVector<G>["given"] {
  return { ...given, now, object } as unknown as ObjectVector<G>["given"];
}

type References<G> = { readonly [field in keyof G]?: Readonly<Record<string, object>> };

/** A file in which these fields of what is given name an object, by the field's own name before it: `workspace usual`. */
export function withReferences<G extends object>(
  kinds: References<G>,
  vectors: readonly ObjectVector<G>[],
): ObjectVectors<G> {
  const fields = Object.entries(kinds) as [keyof G & string, Readonly<Record<string, object>>][];
  const objects = fields.flatMap(([field, known]) =>
    Object.entries(known).map(([name, object]) => [`${field} ${name}`, object] as const),
  );
  const prefixed = vectors.map(({ given, ...vector }) => {
    const named = Object.entries(given).map(([field, value]) =>
      Object.hasOwn(kinds, field) ? [field, `${field} ${value}`] : [field, value],
    );
    return { ...vector, given: Object.fromEntries(named) as typeof given };
  });
  return { objects: Object.fromEntries(objects), vectors: prefixed };
}

/** A moment as it stands in the vectors. */
export function textOf(now: Date): string {
  return `${now.toISOString().slice(0, 19)}Z`;
}

/** A file of vectors as text: one object or vector a line. Throws when a name stands there twice. */
export function renderVectors<G>({ objects, vectors }: ObjectVectors<G>): string {
  const names = vectors.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Error(`two vectors are named ${twice}`);
  const named = Object.entries(objects).map(([name, object]) => `${JSON.stringify(name)}:${JSON.stringify(object)}`);
  const lines = vectors.map((vector) => JSON.stringify(vector));
  return `{"objects":{\n${named.join(",\n")}\n},\n"vectors":[\n${lines.join(",\n")}\n]}\n`;
}
