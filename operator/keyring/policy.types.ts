// What the keyring's policy is spoken of in: verdicts on what was seen, what is served, and what the book needs.
// The book itself is policy.ts.
import type { DecryptionKey, Identity } from "../../crds/crypto/identity.js";
import type { ZoppError } from "../../crds/errors.js";
import type { AcceptedBaseline } from "../../crds/policy/baseline.js";
import type { AcceptedEnvironment } from "../../crds/policy/environment.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Cluster } from "../../crds/types.gen.js";
import type { ZoppObject } from "../../crds/validate.js";
import type { KubeObject } from "../kube/resources.js";
import type { Ledger } from "./ledger.js";
import type { Trust } from "./pins.js";
import type { Fact } from "./records.js";

/** What the keyring made of the object that it saw last. */
export interface Verdict {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly refused?: ZoppError | undefined;
}

/** A policy that decides about bundles, with the keys that open them. */
export interface ServedEnvironment {
  readonly workspace: AcceptedWorkspace;
  readonly environment: AcceptedEnvironment;
  /** This cluster's name in the workspace's policy; undefined when it is not named. */
  readonly cluster: Cluster | undefined;
  /** Environment keys by kid, as far as they are wrapped to this keyring. */
  readonly keys: ReadonlyMap<string, DecryptionKey>;
  readonly baseline: AcceptedBaseline | undefined;
}

/** The kinds of policy objects. */
export type Kind = "workspaces" | "environments" | "baselines";

/** What is in the API now. */
export type Reviewed = Readonly<Record<Kind, readonly KubeObject[]>>;

/** The kinds by the names that objects say. */
export const KINDS: Readonly<Partial<Record<ZoppObject["kind"], Kind>>> = {
  ZoppWorkspace: "workspaces",
  ZoppEnvironment: "environments",
  ZoppBaseline: "baselines",
};

/** How the acceptance of each kind is called in the log. */
export const ACTIONS = {
  workspaces: "accept-workspace",
  environments: "accept-environment",
  baselines: "accept-baseline",
} as const;

/** What the book needs of the rest of the keyring. */
export interface PolicyOptions {
  readonly identity: Identity;
  readonly trust: Trust;
  readonly ledger: Ledger;
  /** Accepted objects by digest, as they were stored. */
  readonly remembered: ReadonlyMap<string, unknown>;
  readonly reservedNamespaces: readonly string[];
  /** The id of this keyring's log. */
  readonly log: string;
  now(): Date;
  /** Stores the whole object by its digest, then makes the records durable, unless a replica has written meanwhile. */
  accept(object: object, digest: string, facts: readonly Fact[]): Promise<void>;
  /** Notes a refusal in the log, once. */
  refuse(fact: Fact): void;
}
