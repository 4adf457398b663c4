// A second, slower keyring that opens nothing: it decides by design §3 and docs/format.md alone, on who signed what as the
// notary saw it, and shares no decision with crds/ and operator/keyring/. Bundles are reference.bundle.ts.
import type { ErrorCode } from "../../crds/errors.js";
import type {
  EnvironmentSpec,
  OwnersSet,
  Principal,
  WorkspaceEnvironment,
  WorkspaceSpec,
  ZoppEnvironment,
  ZoppWorkspace,
} from "../../crds/types.gen.js";
import { environmentClaim, type Notary, ownersClaim, rotationClaim, workspaceClaim } from "./claims.js";
import { changesAnEpoch, hasTwins, isOutOfOrder, madeIn, ownersOf, sharesNamespaces } from "./reference.shape.js";
import { belongs, isOver, mayHe, type Where } from "./rights.js";

/** Why something must be refused; empty when it must be accepted. Which of several is said is the keyring's choice. */
export type Reasons = Set<ErrorCode>;

/** A version that was accepted, with what it claims. */
export interface Known {
  readonly version: number;
  readonly claim: string;
}

/** What is remembered of a place. */
export interface KnownPlace {
  environment: string;
  header: Known;
  readonly entries: Map<string, Known>;
}

/** What a keyring is told from outside. */
export interface Outside {
  readonly notary: Notary;
  /** Public keys by text: their kids. */
  kid(key: string): string;
  readonly cluster: { readonly kid: string; readonly sealingKid: string; log: string };
  readonly pin: { readonly owners: string; readonly minVersion: number };
  readonly reserved: readonly string[];
}

const DAY = 24 * 3600 * 1000;

/** Version numbers read as UTC times. */
export function numberOf(now: number): number {
  return Number(new Date(now).toISOString().replaceAll(/\D/g, "").slice(0, 14));
}

/** What the model believes: policy in force, and what was accepted at each place. */
export class Reference {
  readonly outside: Outside;
  now = 0;
  workspace: ZoppWorkspace | undefined;
  readonly environments = new Map<string, ZoppEnvironment>();
  readonly places = new Map<string, KnownPlace>();
  /** Why the workspace or environment of a name, as it was seen last, is not in force. */
  readonly waiting = new Map<string, Reasons>();

  constructor(outside: Outside) {
    this.outside = outside;
  }

  /** Judges a policy, and takes it over when nothing speaks against it. */
  seeWorkspace(candidate: ZoppWorkspace): Reasons {
    const reasons = this.#againstWorkspace(candidate);
    if (reasons.size === 0) this.workspace = candidate;
    this.waiting.set(candidate.metadata.name, reasons);
    return reasons;
  }

  /** Judges an environment, and takes it over when nothing speaks against it. */
  seeEnvironment(candidate: ZoppEnvironment): Reasons {
    const { name } = candidate.metadata;
    const reasons = this.#againstEnvironment(candidate);
    if (reasons.size === 0) this.environments.set(name, candidate);
    this.waiting.set(name, reasons);
    return reasons;
  }

  /** Whose device signs with this kid. */
  holder(policy: WorkspaceSpec, kid: string): Principal | undefined {
    return policy.principals.find(({ devices = [] }) =>
      devices.some(({ signingKey }) => this.outside.kid(signingKey) === kid),
    );
  }

  /** The owners' rule for an environment. */
  rule(policy: WorkspaceSpec, { project, environment }: EnvironmentSpec): WorkspaceEnvironment | undefined {
    return policy.environments?.find(({ name }) => name === `${project}/${environment}`);
  }

  /** How policy names this cluster. */
  ownCluster(policy: WorkspaceSpec) {
    return policy.clusters?.find(({ signingKey }) => this.outside.kid(signingKey) === this.outside.cluster.kid);
  }

  /** How many persons among the approvers, but not the author, signed this claim. */
  approvals(
    policy: WorkspaceSpec,
    rule: WorkspaceEnvironment,
    author: string,
    claim: string,
    by: readonly (readonly [kid: string, value: string])[],
  ) {
    const persons = new Set<string>();
    for (const [kid, value] of by) {
      const holder = this.holder(policy, kid);
      if (holder === undefined || holder.name === author || isOver(holder.expires, this.now)) continue;
      const listed = rule.approvals?.approvers.some((subject) => belongs(policy, subject, holder.name)) ?? false;
      if (listed && this.outside.notary.holds(kid, value, claim)) persons.add(holder.name);
    }
    return persons.size;
  }

  #againstWorkspace({ metadata: { name }, spec }: ZoppWorkspace): Reasons {
    const reasons: Reasons = new Set();
    const refuse = (when: boolean, ...codes: ErrorCode[]) => {
      if (when) for (const code of codes) reasons.add(code);
    };
    refuse("extra" in spec, "Malformed");
    if (name !== "acme") return reasons.add("NotPinned");
    const { notary, pin } = this.outside;
    const claim = workspaceClaim(name, spec);
    const accepted = this.workspace?.spec;
    const before = accepted === undefined ? undefined : workspaceClaim(name, accepted);
    if (before === claim) return reasons;
    refuse(isOutOfOrder(spec), "Malformed");
    refuse(hasTwins(spec), "KeyAmbiguous");
    refuse(spec.version > numberOf(this.now + DAY), "VersionTooFar");
    refuse(sharesNamespaces(spec, this.outside.reserved), "NamespaceConflict");
    refuse(!this.#enough(ownersOf(spec), claim, spec.signatures), "PartlySigned");
    const known = accepted === undefined ? pin.owners : ownersClaim(ownersOf(accepted));
    const changed = known !== ownersClaim(ownersOf(spec));
    const since = accepted?.version ?? pin.minVersion;
    const chain = changed ? this.#chain(name, spec, known, since) : "whole";
    if (accepted === undefined) {
      refuse(spec.version < pin.minVersion, "PolicyRollback");
      refuse(chain !== "whole", "PinMismatch");
      refuse(chain === "unsigned", "PartlySigned");
      return reasons;
    }
    refuse(spec.version === accepted.version, "Forked");
    refuse(spec.version < accepted.version, "PolicyRollback");
    const ancestors = (spec.ancestors ?? []).map((digest) => notary.claimOf(digest));
    refuse(!ancestors.includes(before), ancestors.length < 256 ? "Forked" : "PolicyGap");
    refuse(chain !== "whole", "PolicyGap");
    refuse(chain === "unsigned", "PartlySigned");
    const follows = ancestors[0] === before;
    refuse(changed && follows && !this.#enough(ownersOf(accepted), claim, spec.signatures), "PartlySigned");
    return reasons;
  }

  /** Steps from the owners that are known to those of a policy: each names the next set, and both sign it. */
  #chain(name: string, spec: WorkspaceSpec, known: string, since: number): "none" | "unsigned" | "whole" {
    const steps = (spec.rotations ?? []).filter((step) => madeIn(step) > since);
    const first = steps.findIndex(({ from }) => ownersClaim(from) === known);
    if (first < 0) return "none";
    const sets = [...steps.slice(first).map(({ from }) => from), ownersOf(spec)];
    const links = steps.slice(first).map((step, at) => {
      const next = sets[at + 1] as OwnersSet;
      const names = this.outside.notary.claimOf(step.to) === ownersClaim(next);
      const claim = rotationClaim(name, step);
      const signed = [step.from, next].every((set) => this.#enough(set, claim, step.signatures));
      return names ? (signed ? "whole" : "unsigned") : "none";
    });
    if (links.includes("none")) return "none";
    return links.includes("unsigned") ? "unsigned" : "whole";
  }

  #enough({ threshold, principals }: OwnersSet, claim: string, signatures: WorkspaceSpec["signatures"]): boolean {
    const signed = principals.filter(({ signingKeys }) => {
      const kids = signingKeys.map((key) => this.outside.kid(key));
      return signatures.some(({ by, value }) => kids.includes(by) && this.outside.notary.holds(by, value, claim));
    });
    return signed.length >= threshold;
  }

  #againstEnvironment({ metadata: { name }, spec }: ZoppEnvironment): Reasons {
    const reasons: Reasons = new Set();
    const refuse = (when: boolean, ...codes: ErrorCode[]) => {
      if (when) for (const code of codes) reasons.add(code);
    };
    refuse("extra" in spec, "Malformed");
    const policy = this.workspace?.spec;
    if (policy === undefined) return reasons.add("NoPolicy");
    const accepted = this.environments.get(name)?.spec;
    const claim = environmentClaim(spec);
    if (accepted !== undefined && environmentClaim(accepted) === claim) return reasons;
    const rule = this.rule(policy, spec);
    if (rule === undefined) return reasons.add("UnknownEnvironment");
    refuse(spec.version > numberOf(this.now + DAY), "VersionTooFar");
    refuse(spec.version === accepted?.version, "Forked");
    refuse(spec.version < (accepted?.version ?? 0), "PolicyRollback");
    refuse(this.isOutdated(spec, rule), "EnvironmentOutdated");
    refuse(changesAnEpoch(spec, accepted), "EnvironmentRefused");
    const needed = rule.approvals?.required ?? 0;
    refuse(needed > 0 && spec.keys.some(({ binding }) => binding === "environment"), "EnvironmentRefused");
    this.#againstRecipients(policy, rule, spec, accepted, refuse);
    const [author, ...others] = spec.signatures;
    const signer = author === undefined ? undefined : this.holder(policy, author.by);
    if (author === undefined || signer === undefined) return reasons.add("UnknownSigner");
    refuse(!this.outside.notary.holds(author.by, author.value, claim), "SignatureInvalid");
    const where = this.where(policy, { ...spec, grants: accepted?.grants });
    refuse(!mayHe(where, signer, "sign"), "NotAuthorised");
    const old = new Set((accepted?.grants ?? []).map((grant) => JSON.stringify(grant)));
    const audit = (spec.grants ?? []).some((grant) => grant.role === "audit" && !old.has(JSON.stringify(grant)));
    refuse(audit && !mayHe(where, signer, "audit"), "NotAuthorised");
    const approved = others.map(({ by, value }) => [by, value] as const);
    const count = this.approvals(policy, rule, signer.name, environmentClaim(spec, true), approved);
    refuse(count < needed, "PartlySigned");
    return reasons;
  }

  /** Where rights in an environment are looked up. */
  where(policy: WorkspaceSpec, { project, environment, grants }: EnvironmentSpec): Where {
    return { policy, project, environment, own: grants, now: this.now };
  }

  /** True below the lowest version or epoch that the owners demand. */
  isOutdated({ version, keys }: EnvironmentSpec, { minVersion = 0, minEpoch = 0 }: WorkspaceEnvironment): boolean {
    return version < minVersion || (keys.at(-1)?.epoch ?? 0) < minEpoch;
  }

  #againstRecipients(
    policy: WorkspaceSpec,
    rule: WorkspaceEnvironment,
    spec: EnvironmentSpec,
    accepted: EnvironmentSpec | undefined,
    refuse: (when: boolean, code: ErrorCode) => void,
  ): void {
    const { kid, cluster } = this.outside;
    const direct = spec.access === "direct";
    const where = this.where(policy, spec);
    const allowed = (to: string) =>
      (policy.clusters ?? []).some(
        ({ name, encryptionKey }) => kid(encryptionKey) === to && (rule.clusters ?? []).includes(name),
      ) ||
      (direct &&
        policy.principals.some(
          (principal) =>
            (principal.devices ?? []).some(({ encryptionKey }) => kid(encryptionKey) === to) &&
            mayHe(where, principal, "read"),
        ));
    for (const key of spec.keys) {
      const before = accepted?.keys.find(({ epoch }) => epoch === key.epoch);
      const newest = key === spec.keys.at(-1);
      const had = newest ? [] : (before?.sealed.map(({ to }) => to) ?? key.sealed.map(({ to }) => to));
      refuse(
        key.sealed.some(({ to }) => !had.includes(to) && !allowed(to)),
        "UnknownRecipient",
      );
    }
    const scopes = ["*", spec.project, `${spec.project}/${spec.environment}`];
    const grants = [...(policy.grants ?? []).filter(({ scope }) => scopes.includes(scope)), ...(spec.grants ?? [])];
    const reads = grants.some(({ role, keys = [] }) => keys.length > 0 && ["read", "write", "admin"].includes(role));
    refuse(direct && reads, "GrantNotEnforceable");
    const own = this.ownCluster(policy);
    refuse(own === undefined, "ClusterNotNamed");
    refuse(own !== undefined && !(rule.clusters ?? []).includes(own.name), "NotServedHere");
    refuse(!(spec.keys.at(-1)?.sealed ?? []).some(({ to }) => to === cluster.sealingKid), "ClusterNotNamed");
    refuse(own !== undefined && own.log !== cluster.log, "LedgerLost");
  }
}
