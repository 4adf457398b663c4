// What a signature says, written down by docs/format.md and not by the code under test: the model compares claims where
// zopp compares hashes. A notary knows who signed which claim, because it stood by when that was made.
import type { EnvironmentSpec, OwnersSet, Rotation, SecretSpec, WorkspaceSpec } from "../../crds/types.gen.js";

/** Where a bundle lies. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

type Entry = NonNullable<SecretSpec["data"]>[string];

/** Members that are absent, false, {} or [] are one thing and drop out of objects, bottom-up. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value)
    .map(([name, member]) => [name, plain(member)] as const)
    .filter(([, member]) => member !== undefined && member !== false && !isEmpty(member))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function claim(name: string, fields: object): string {
  return `${name} ${JSON.stringify(plain(fields))}`;
}

/** What owners sign: all of a policy but its signatures, and those of its rotations. */
export function workspaceClaim(workspace: string, spec: WorkspaceSpec): string {
  const { signatures: _, rotations = [], ...rest } = spec;
  return claim("workspace", { ...rest, workspace, rotations: rotations.map(stepOf) });
}

function stepOf({ signatures: _, ...step }: Rotation): object {
  return step;
}

/** What both sets of owners sign when one hands over to the other. */
export function rotationClaim(workspace: string, step: Rotation): string {
  return claim("rotation", { workspace, ...stepOf(step) });
}

/** What an admin signs, or an approver beside him. */
export function environmentClaim(spec: EnvironmentSpec, approval = false): string {
  const { signatures: _, ...rest } = spec;
  return claim(approval ? "environment-approval" : "environment", rest);
}

/** What the author of a header signs, or an approver beside him. */
export function headerClaim(place: Place, spec: SecretSpec, approval = false): string {
  const { environment, header, target, render, restart, generate, rotation } = spec;
  const { version, by } = header;
  const fields = { environment, ...place, version, by, target, render, restart, generate, rotation };
  return claim(approval ? "header-approval" : "header", fields);
}

/** What the author of an entry signs, or an approver beside him. */
export function entryClaim(environment: string, place: Place, key: string, entry: Entry, approval = false): string {
  const { version, by, expires, retired, to, sealed } = entry;
  const fields = { environment, ...place, key, version, by, expires, retired, to, sealed };
  return claim(approval ? "entry-approval" : "entry", fields);
}

/** Who owns a workspace: names, keys and threshold, in whatever order. */
export function ownersClaim({ threshold, principals }: OwnersSet): string {
  const owners = principals.map(({ name, signingKeys }) => `${name} ${[...signingKeys].sort().join(" ")}`);
  return `${threshold} of ${owners.sort().join(", ")}`;
}

/** Remembers every signature with its key and claim, and which digest stands for which claim. */
export class Notary {
  readonly #signed = new Map<string, { readonly kid: string; readonly claim: string }>();
  readonly #digests = new Map<string, string>();

  /** Notes a signature that was just made. */
  witness(kid: string, value: string, claimed: string): void {
    this.#signed.set(value, { kid, claim: claimed });
  }

  /** Notes which claim a digest stands for. */
  stands(digest: string, claimed: string): void {
    this.#digests.set(digest, claimed);
  }

  /** True when this key made this signature for exactly this claim. */
  holds(kid: string, value: string, claimed: string): boolean {
    const found = this.#signed.get(value);
    return found?.kid === kid && found.claim === claimed;
  }

  /** The claim that a digest stands for; undefined for one that nobody made. */
  claimOf(digest: string): string | undefined {
    return this.#digests.get(digest);
  }
}
