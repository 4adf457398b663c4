// What a bundle is verified against, and the words that its checks share.
// The checks themselves are in verify.ts (the whole) and signed.ts (its parts).
import type { ZoppError } from "../errors.js";
import type { AcceptedBaseline } from "../policy/baseline.js";
import type { AcceptedEnvironment } from "../policy/environment.js";
import type { AcceptedWorkspace } from "../policy/workspace.js";
import type { ZoppSecret } from "../types.gen.js";
import type { Bindings } from "./statements.js";

/** A version that was accepted, with the hash of its statement. */
export interface Accepted {
  readonly version: number;
  readonly hash: string;
}

/** A value that a keyring made and then accepted, with the hash of the rule that it was made by, and when. */
export interface AcceptedGenerated extends Accepted {
  readonly rule: string;
  readonly made: string;
  /** The hash of the CA's value that signed its certificate; absent for what nobody else signed. */
  readonly issuer?: string | undefined;
}

/** What is remembered of a place: the environment it is bound to, and the accepted header, entries and generated values. */
export interface PlaceLedger {
  readonly environment: string;
  readonly header: Accepted;
  readonly entries: ReadonlyMap<string, Accepted>;
  readonly generated?: ReadonlyMap<string, AcceptedGenerated> | undefined;
}

/** A policy that decides: the workspace and one of its environments. */
export interface Policy {
  readonly workspace: AcceptedWorkspace;
  readonly environment: AcceptedEnvironment;
}

/** What a bundle is verified against. */
export interface BundleCase extends Policy {
  readonly secret: ZoppSecret;
  readonly ledger?: PlaceLedger | undefined;
  /** The policy of the environment that the ledger binds this place to, when it is another one. */
  readonly previous?: Policy | undefined;
  readonly now: Date;
  /** The cluster that asks: it must be named by the environment's rule. Clients leave it out. */
  readonly cluster?: string | undefined;
  /** Clients have no ledger: an author whom policy no longer names, and an older epoch, are then warnings. */
  readonly lenient?: boolean | undefined;
  /** An older epoch is no problem: entries are read to be sealed again, and accepted by nobody as they are. */
  readonly anyEpoch?: boolean | undefined;
  /** False for a keyring whose log policy does not name: nothing new is accepted. */
  readonly acceptsNew?: boolean | undefined;
  /** The baseline in force: what it lists needs no right, approval or newest epoch. */
  readonly baseline?: Pick<AcceptedBaseline, "bundles" | "authors"> | undefined;
  /** Other places that a signature may have been made for; only used to explain one that does not hold. */
  readonly otherPlaces?: Iterable<{ readonly namespace: string; readonly name: string }> | undefined;
}

/** How one signed part of a bundle came out. */
export interface PartVerdict {
  readonly accepted?: Accepted;
  readonly warnings?: readonly ZoppError[];
}

/** `namespace/name` of a bundle, for messages. */
export function placeOf(secret: ZoppSecret): string {
  return `${secret.metadata.namespace}/${secret.metadata.name}`;
}

/** The bindings of an accepted environment's epochs. */
export function bindingsOf(environment: AcceptedEnvironment): Bindings {
  return {
    newest: environment.newest.facts.binding,
    of: (kid) => environment.epochs.get(kid)?.facts.binding,
  };
}
