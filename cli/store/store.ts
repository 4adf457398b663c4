// What a store of manifests is to the commands, whether a directory or a cluster.
// Trust is not a store's business: whatever it gives is judged from a pin before it is used.
import { ZoppError } from "../../crds/errors.js";
import type { ZoppBaseline, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../../crds/types.gen.js";
import { parseBaseline, parseEnvironment, parseSecret, parseWorkspace } from "../../crds/validate.js";

/** The kinds that people write. */
export interface Kinds {
  readonly ZoppWorkspace: ZoppWorkspace;
  readonly ZoppEnvironment: ZoppEnvironment;
  readonly ZoppSecret: ZoppSecret;
  readonly ZoppBaseline: ZoppBaseline;
}

/** The name of such a kind. */
export type Kind = keyof Kinds;

/** The kinds in the order in which they build on each other. */
export const KINDS: readonly Kind[] = ["ZoppWorkspace", "ZoppEnvironment", "ZoppSecret", "ZoppBaseline"];

/** Which object; `namespace` for bundles only. */
export interface ObjectName {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** An object as it lies there: not parsed, not judged. */
export interface Found extends ObjectName {
  readonly kind: Kind;
  /** Where a person finds it: a file's path, or the cluster. */
  readonly where: string;
  readonly value: unknown;
}

/** A change of one object: from what is there (undefined = nothing) to what shall be. It may be called again. */
export interface Change<K extends Kind = Kind> extends ObjectName {
  readonly kind: K;
  change(present: Kinds[K] | undefined): Kinds[K];
}

/** Everything that a store holds, and what in it could not be read at all. */
export interface Contents {
  readonly objects: readonly Found[];
  readonly problems: readonly { readonly where: string; readonly error: ZoppError }[];
}

/** A directory of manifests, or a cluster. */
export interface Store {
  /** In words, for messages: "directory zopp", "the cluster". */
  readonly title: string;
  readonly kind: "directory" | "cluster";
  /** Everything; of bundles those of `namespace`, where one is named. */
  contents(namespace?: string): Promise<Contents>;
  /** Reads one object strictly; undefined when there is none. Throws Malformed, TooLarge, Api*. */
  read<K extends Kind>(kind: K, name: ObjectName): Promise<Kinds[K] | undefined>;
  /**
   * Makes all changes, and gives where each was made. A directory changes all files or none; a cluster one object
   * after the other. Throws FileUnwritable, ApiConflict, what `change` throws, and what `read` throws.
   */
  write(changes: readonly Change[]): Promise<readonly string[]>;
  /** The object that others may know (git's HEAD) where it is not the present one; undefined otherwise. */
  committed<K extends Kind>(kind: K, name: ObjectName): Promise<Kinds[K] | undefined>;
  close(): Promise<void>;
}

const PARSERS: { readonly [K in Kind]: (value: unknown) => Kinds[K] } = {
  ZoppWorkspace: parseWorkspace,
  ZoppEnvironment: parseEnvironment,
  ZoppSecret: parseSecret,
  ZoppBaseline: parseBaseline,
};

/** Parses an object of a known kind strictly. Throws Malformed or TooLarge, saying where it lies. */
export function parseFound<K extends Kind>(kind: K, value: unknown, where: string): Kinds[K] {
  try {
    return PARSERS[kind](value);
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    throw new ZoppError(error.code, `${where}: ${error.message}`, { fields: error.fields });
  }
}

/** `namespace/name` or `name`. */
export function nameOf({ namespace, name }: ObjectName): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Gives a change for one kind its place in a list of changes of any kind. */
export function change<K extends Kind>(kind: K, name: ObjectName, make: Change<K>["change"]): Change {
  return { kind, ...name, change: make } as unknown as Change;
}
