// What this keyring serves: workspaces and environments it has accepted, judged as they appear in the API.
// The rules are in crds/policy; storing objects and records is store.ts' and log.ts'.
import type { DecryptionKey, Identity } from "../../crds/crypto/identity.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import { type AcceptedEnvironment, judgeEnvironment, readEnvironment, ruleFor } from "../../crds/policy/environment.js";
import { formatPin, type Pin, parsePin } from "../../crds/policy/pin.js";
import { type AcceptedWorkspace, judgeWorkspace, readWorkspace } from "../../crds/policy/workspace.js";
import type { Cluster, ZoppEnvironment, ZoppWorkspace } from "../../crds/types.gen.js";
import { parseEnvironment, parseWorkspace } from "../../crds/validate.js";
import type { KubeObject } from "../kube/resources.js";
import { environmentKeys } from "./epochs.js";
import type { Ledger } from "./ledger.js";
import type { Fact } from "./records.js";

/** Which workspaces are served: those that are pinned, or the first one. */
export interface Trust {
  readonly pins: readonly Pin[];
  readonly firstUse: boolean;
}

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
}

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
  /** Stores the whole object, then makes the record durable. */
  accept(object: object, fact: Fact): Promise<void>;
  /** Notes a refusal in the log, once. */
  refuse(fact: Fact): void;
}

/** Workspaces and environments in force, and verdicts on what was seen. */
export class PolicyBook {
  readonly #options: PolicyOptions;
  readonly #workspaces = new Map<string, AcceptedWorkspace>();
  readonly #environments = new Map<string, ServedEnvironment>();
  readonly #verdicts = { workspaces: new Map<string, Verdict>(), environments: new Map<string, Verdict>() };

  /** Puts back what the log says was accepted. Throws LogBroken when an accepted object is not there any more. */
  constructor(options: PolicyOptions) {
    this.#options = options;
    for (const [name, { digest }] of options.ledger.workspaces) {
      this.#workspaces.set(name, readWorkspace(parseWorkspace(this.#recall(name, digest))));
    }
    for (const [name, { digest }] of options.ledger.environments) {
      const environment = readEnvironment(parseEnvironment(this.#recall(name, digest)));
      this.#serve(environment);
    }
  }

  /** Why no bundle can be served at all; null when at least one workspace is in force. */
  notReady(): string | null {
    return this.servedWorkspaces().length > 0 ? null : "NoPolicy";
  }

  /** Workspaces in force that are (still) trusted. */
  servedWorkspaces(): readonly AcceptedWorkspace[] {
    return [...this.#workspaces.values()].filter(({ name }) => this.#pinOf(name) !== undefined);
  }

  /** Everything known of workspaces or environments: verdicts, and what is in force by name. */
  verdicts(of: "workspaces" | "environments"): readonly Verdict[] {
    return [...this.#verdicts[of].values()];
  }

  /** The version in force of a workspace. */
  workspace(name: string): AcceptedWorkspace | undefined {
    return this.#pinOf(name) === undefined ? undefined : this.#workspaces.get(name);
  }

  /** The environment in force under an object's name (`workspace.project.environment`). */
  environment(name: string): ServedEnvironment | undefined {
    const found = this.#environments.get(name);
    return found === undefined || this.workspace(found.workspace.name) === undefined ? undefined : found;
  }

  /** The policy that decides about a path (`workspace/project/environment`). Throws NotPinned, NoPolicy or what keeps it out. */
  policyFor(path: string): ServedEnvironment {
    const name = path.replaceAll("/", ".");
    const served = this.environment(name);
    if (served !== undefined) return served;
    const [workspace = ""] = path.split("/");
    if (this.#pinOf(workspace) === undefined && !this.#awaitsFirst) {
      throw new ZoppError("NotPinned", `workspace ${workspace} is not pinned in this keyring`);
    }
    const refused = this.#verdicts.workspaces.get(workspace)?.refused;
    if (this.workspace(workspace) === undefined)
      throw refused ?? new ZoppError("NoPolicy", `workspace ${workspace} is not in force yet`);
    throw (
      this.#verdicts.environments.get(name)?.refused ??
      new ZoppError("UnknownEnvironment", `environment ${path} is not known`)
    );
  }

  /** True when new content is accepted under a workspace: its policy names this keyring's log for its key. */
  acceptsNew({ cluster }: ServedEnvironment): boolean {
    return cluster?.log === this.#options.log;
  }

  /** Judges everything that is in the API now; whatever is good comes into force. One call at a time. */
  async review(workspaces: readonly KubeObject[], environments: readonly KubeObject[]): Promise<void> {
    for (const object of workspaces)
      await this.#judge("workspaces", object, () => this.#reviewWorkspace(object, workspaces));
    for (const object of environments) await this.#judge("environments", object, () => this.#reviewEnvironment(object));
  }

  async #judge(of: "workspaces" | "environments", object: KubeObject, judge: () => Promise<void>): Promise<void> {
    const { name, uid = "", generation = 0 } = object.metadata;
    let refused: ZoppError | undefined;
    try {
      await judge();
    } catch (error) {
      refused = asZoppError(error, `judging ${name}`);
      const action = of === "workspaces" ? "accept-workspace" : "accept-environment";
      this.#options.refuse({ action, decision: "refused", actor: "keyring", object: name, reason: refused.code });
    }
    this.#verdicts[of].set(name, { name, uid, generation, refused });
  }

  async #reviewWorkspace(object: KubeObject, all: readonly KubeObject[]): Promise<void> {
    const candidate = parseWorkspace(plain(object));
    const { name } = candidate.metadata;
    const pin = this.#pinOf(name) ?? this.#firstUse(candidate, all);
    const accepted = this.#workspaces.get(name);
    const { now, reservedNamespaces } = this.#options;
    if (pin === undefined) throw new ZoppError("NotPinned", `workspace ${name} is not pinned in this keyring`);
    const judged = judgeWorkspace({
      candidate,
      accepted,
      pin,
      now: now(),
      reservedNamespaces: this.#reserved(name, reservedNamespaces),
    });
    if (judged === accepted) return;
    if (this.#options.trust.firstUse && !this.#options.ledger.pins.has(name)) {
      await this.#options.accept(candidate, {
        action: "pin",
        decision: "done",
        actor: "keyring",
        object: name,
        pin: formatPin(pin),
      });
    }
    const { digest, version } = judged;
    await this.#options.accept(candidate, {
      action: "accept-workspace",
      decision: "accepted",
      actor: "keyring",
      object: name,
      version,
      digest,
    });
    this.#workspaces.set(name, judged);
    for (const served of this.#environments.values())
      if (served.workspace.name === name) this.#serve(served.environment);
  }

  async #reviewEnvironment(object: KubeObject): Promise<void> {
    const candidate = parseEnvironment(plain(object));
    const { name } = candidate.metadata;
    const owner = candidate.spec.workspace;
    const workspace = this.workspace(owner);
    if (workspace === undefined) {
      const code = this.#pinOf(owner) === undefined && !this.#awaitsFirst ? "NotPinned" : "NoPolicy";
      throw new ZoppError(code, `environment ${name}: workspace ${owner} is not in force in this keyring`);
    }
    const accepted = this.#environments.get(name)?.environment;
    const judged = judgeEnvironment({ candidate, accepted, workspace, now: this.#options.now() });
    if (judged === accepted) return;
    this.#refuseForeign(judged, workspace);
    const { digest, version } = judged;
    await this.#options.accept(candidate, {
      action: "accept-environment",
      decision: "accepted",
      actor: "keyring",
      object: name,
      version,
      digest,
    });
    this.#serve(judged);
  }

  /** An environment is served only where policy names this cluster, with this log, and its newest key is wrapped to it. */
  #refuseForeign(judged: AcceptedEnvironment, workspace: AcceptedWorkspace): void {
    const cluster = this.#clusterIn(workspace);
    const what = `environment ${judged.path}`;
    if (cluster === undefined || !(ruleFor(workspace, judged.scope).clusters ?? []).includes(cluster.name)) {
      throw new ZoppError("ClusterNotNamed", `${what} does not name this cluster`);
    }
    if (cluster.log !== this.#options.log) {
      throw new ZoppError(
        "LedgerLost",
        `${what}: policy names the log ${cluster.log} for this keyring, but it has ${this.#options.log}`,
      );
    }
    if (!environmentKeys(judged, this.#options.identity.encryption).has(judged.newest.key.kid)) {
      throw new ZoppError("ClusterNotNamed", `${what}: its newest key is not wrapped to this cluster`);
    }
  }

  #serve(environment: AcceptedEnvironment): void {
    const { workspace: owner } = environment.object.spec;
    const workspace = this.#workspaces.get(owner);
    if (workspace === undefined)
      throw new ZoppError("LogBroken", `environment ${environment.path} was accepted without its workspace`);
    const keys = environmentKeys(environment, this.#options.identity.encryption);
    const { name } = environment.object.metadata;
    this.#environments.set(name, { workspace, environment, cluster: this.#clusterIn(workspace), keys });
  }

  #clusterIn(workspace: AcceptedWorkspace): Cluster | undefined {
    return workspace.roster.clusters.get(this.#options.identity.signing.verifyKey.kid);
  }

  #pinOf(workspace: string): Pin | undefined {
    const { trust, ledger } = this.#options;
    if (!trust.firstUse) return trust.pins.find((pin) => pin.workspace === workspace);
    const taken = ledger.pins.get(workspace);
    return taken === undefined ? undefined : parsePin(taken);
  }

  /** True while a first use may still pin a workspace. */
  get #awaitsFirst(): boolean {
    return this.#options.trust.firstUse && this.#options.ledger.pins.size === 0;
  }

  /** The pin that a first use would take; refuses to choose between two. */
  #firstUse(candidate: ZoppWorkspace, all: readonly KubeObject[]): Pin | undefined {
    if (!this.#awaitsFirst) return undefined;
    if (all.length > 1) {
      const names = all.map(({ metadata }) => metadata.name).sort();
      throw new ZoppError("AmbiguousFirstUse", `there are ${names.length} workspaces: ${names.join(", ")}`);
    }
    const { name, ownersDigest, version } = readWorkspace(candidate);
    return { workspace: name, owners: ownersDigest, minVersion: version };
  }

  /** kube-system, the keyring's own namespace, and those of other workspaces' environments. */
  #reserved(workspace: string, own: readonly string[]): readonly string[] {
    const others = this.servedWorkspaces().filter(({ name }) => name !== workspace);
    return [
      ...own,
      ...others.flatMap(({ object }) => (object.spec.environments ?? []).flatMap(({ namespaces }) => namespaces)),
    ];
  }

  #recall(name: string, digest: string): unknown {
    const object = this.#options.remembered.get(digest);
    if (object === undefined)
      throw new ZoppError("LogBroken", `the accepted object ${name} (${digest}) is missing from the ledger`);
    return object;
  }
}

/** Only what people signed and named: metadata that the API server adds plays no part. */
function plain({ apiVersion, kind, metadata, ...rest }: KubeObject): unknown {
  const { spec } = rest as { spec?: ZoppEnvironment["spec"] };
  return { apiVersion, kind, metadata: { name: metadata.name }, spec };
}
