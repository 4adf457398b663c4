// What this keyring serves: workspaces and environments it has accepted, judged as they appear in the API.
// The rules are in crds/policy; storing objects and records is store.ts' and log.ts'.
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { AcceptedBaseline } from "../../crds/policy/baseline.js";
import { type AcceptedEnvironment, judgeEnvironment, ruleFor } from "../../crds/policy/environment.js";
import { formatPin, type Pin } from "../../crds/policy/pin.js";
import { type AcceptedWorkspace, judgeWorkspace } from "../../crds/policy/workspace.js";
import type { Cluster, ZoppBaseline, ZoppEnvironment, ZoppWorkspace } from "../../crds/types.gen.js";
import { parseBaseline, parseEnvironment, parseObject, parseWorkspace } from "../../crds/validate.js";
import type { KubeObject } from "../kube/resources.js";
import { isVouchedFor, type Judging, judgedHere } from "./baseline.js";
import { environmentKeys } from "./epochs.js";
import type { AcceptedPolicy } from "./ledger.js";
import { Pins } from "./pins.js";
import { plain } from "./plain.js";
import {
  ACTIONS,
  KINDS,
  type Kind,
  type PolicyOptions,
  type Reviewed,
  type ServedEnvironment,
  type Verdict,
} from "./policy.types.js";
import { workloadOf } from "./readers.js";
import { recall } from "./recall.js";
import type { Fact } from "./records.js";
import { namesOf } from "./refusals.js";

/** Workspaces and environments in force, and verdicts on what was seen. */
export class PolicyBook {
  readonly #options: PolicyOptions;
  readonly #pins: Pins;
  readonly #workspaces = new Map<string, AcceptedWorkspace>();
  readonly #environments = new Map<string, ServedEnvironment>();
  readonly #baselines = new Map<string, AcceptedBaseline>();
  readonly #verdicts: Readonly<Record<Kind, Map<string, Verdict>>> = {
    workspaces: new Map(),
    environments: new Map(),
    baselines: new Map(),
  };
  /** The baselines that lay in the API last. */
  #seen: readonly KubeObject[] = [];

  /** As `restore`. */
  constructor(options: PolicyOptions) {
    this.#options = options;
    this.#pins = new Pins(options.trust, options.ledger);
    this.restore();
  }

  /**
   * Puts in force what the log says was accepted: at start, and whenever a replica has accepted something. Throws LogBroken
   * when an accepted object is not there any more.
   */
  restore(): void {
    const { remembered, ledger } = this.#options;
    for (const [name, { digest }] of ledger.workspaces)
      this.#workspaces.set(name, recall.workspace(remembered, name, digest, this.#workspaces.get(name)));
    for (const [name, { digest }] of ledger.baselines)
      this.#baselines.set(name, recall.baseline(remembered, name, digest, this.#baselines.get(name)));
    for (const [name, { digest }] of ledger.environments)
      this.#serve(recall.environment(remembered, name, digest, this.#environments.get(name)?.environment));
  }

  /** Why no bundle can be served at all; null when at least one workspace is in force. */
  notReady(): string | null {
    return this.servedWorkspaces().length > 0 ? null : "NoPolicy";
  }

  /** Workspaces in force that are (still) trusted. */
  servedWorkspaces(): readonly AcceptedWorkspace[] {
    return [...this.#workspaces.values()].filter(({ name }) => this.#pins.of(name) !== undefined);
  }

  /** Verdicts on what was seen of a kind. */
  verdicts(of: Kind): readonly Verdict[] {
    return [...this.#verdicts[of].values()];
  }

  /** The version in force of a workspace. */
  workspace(name: string): AcceptedWorkspace | undefined {
    return this.#pins.of(name) === undefined ? undefined : this.#workspaces.get(name);
  }

  /** The environment in force under an object's name (`workspace.project.environment`). */
  environment(name: string): ServedEnvironment | undefined {
    const found = this.#environments.get(name);
    return found === undefined || this.workspace(found.workspace.name) === undefined ? undefined : found;
  }

  /** The object names of what is in force of a kind. */
  namesInForce(of: Kind): readonly string[] {
    if (of === "workspaces") return this.servedWorkspaces().map(({ name }) => name);
    const served = [...this.#environments.keys()].filter((name) => this.environment(name) !== undefined);
    return of === "environments" ? served : served.filter((name) => this.#baselines.has(name));
  }

  /** The policy that decides about a path (`workspace/project/environment`). Throws NotPinned, NoPolicy or what keeps it out. */
  policyFor(path: string): ServedEnvironment {
    const name = path.replaceAll("/", ".");
    const served = this.environment(name);
    if (served !== undefined) return served;
    const [workspace = ""] = path.split("/");
    if (this.#pins.of(workspace) === undefined && !this.#pins.awaitsFirst) {
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

  /** True when a policy in force names an account (`namespace/name`) as a workload of this cluster. */
  isWorkload(account: string): boolean {
    return this.servedWorkspaces().some(
      (workspace) => workloadOf(workspace, this.#clusterIn(workspace)?.name, account) !== undefined,
    );
  }

  /** True when new content is accepted under a workspace: its policy names this keyring's log for its key. */
  acceptsNew({ cluster }: ServedEnvironment): boolean {
    return cluster?.log === this.#options.log;
  }

  /** Judges everything that is in the API now; whatever is good comes into force. One call, or offer, at a time. */
  async review({ workspaces, environments, baselines }: Reviewed): Promise<void> {
    this.#seen = baselines;
    for (const object of workspaces)
      await this.#judge("workspaces", object, () => {
        const candidate = parseWorkspace(plain(object));
        const pin = this.#pins.of(candidate.metadata.name) ?? this.#pins.firstUse(candidate, workspaces);
        return this.#takeWorkspace(candidate, pin, "keyring");
      });
    for (const object of environments)
      await this.#judge("environments", object, () =>
        this.#takeEnvironment(parseEnvironment(plain(object)), "keyring"),
      );
    for (const object of baselines)
      await this.#judge("baselines", object, () => this.#takeBaseline(parseBaseline(plain(object)), "keyring"));
  }

  /**
   * Takes a newer object straight from whoever has it; an older one in the API displaces it no more. Gives what is in
   * force then. Throws why it is refused, which is recorded: as of an object in the API, and Malformed, UnknownVersion.
   */
  async offer(given: unknown, actor: string): Promise<AcceptedPolicy> {
    const object = parseObject(plain(given as KubeObject));
    const { name } = object.metadata;
    const kind = KINDS[object.kind];
    if (kind === undefined) throw new ZoppError("UnknownVersion", `${object.kind} ${name} is no policy`);
    try {
      if (object.kind === "ZoppWorkspace") return await this.#takeWorkspace(object, this.#pins.of(name), actor);
      if (object.kind === "ZoppEnvironment") return await this.#takeEnvironment(object, actor);
      return await this.#takeBaseline(object as ZoppBaseline, actor);
    } catch (error) {
      throw this.#refused(kind, object as KubeObject, error, actor);
    }
  }

  async #judge(of: Kind, object: KubeObject, judge: () => Promise<unknown>): Promise<void> {
    const { name, uid = "", generation = 0 } = object.metadata;
    let refused: ZoppError | undefined;
    try {
      await judge();
    } catch (error) {
      refused = this.#refused(of, object, error, "keyring");
    }
    this.#verdicts[of].set(name, { name, uid, generation, refused });
  }

  #refused(of: Kind, object: KubeObject, error: unknown, actor: string): ZoppError {
    const refused = asZoppError(error, `judging ${object.metadata.name}`);
    const evidence = actor === "keyring" ? undefined : "proved";
    const fact = { action: ACTIONS[of], decision: "refused", actor, evidence, reason: refused.code } as const;
    this.#options.refuse({ ...fact, ...namesOf(of, object) });
    return refused;
  }

  async #accept(
    of: Kind,
    object: ZoppWorkspace | ZoppEnvironment | ZoppBaseline,
    judged: AcceptedPolicy,
    actor: string,
    before: readonly Fact[] = [],
  ) {
    const { version, digest } = judged;
    const fact = { action: ACTIONS[of], decision: "accepted", actor, object: object.metadata.name, version, digest };
    await this.#options.accept(object, digest, [...before, fact as Fact]);
  }

  async #takeWorkspace(candidate: ZoppWorkspace, pin: Pin | undefined, actor: string): Promise<AcceptedPolicy> {
    const { name } = candidate.metadata;
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
    if (judged === accepted) return judged;
    const isFirst = this.#options.trust.firstUse && !this.#options.ledger.pins.has(name);
    const taken: Fact = { action: "pin", decision: "done", actor, object: name, pin: formatPin(pin) };
    await this.#accept("workspaces", candidate, judged, actor, isFirst ? [taken] : []);
    this.#workspaces.set(name, judged);
    for (const served of this.#environments.values())
      if (served.workspace.name === name) this.#serve(served.environment);
    return judged;
  }

  async #takeEnvironment(candidate: ZoppEnvironment, actor: string): Promise<AcceptedPolicy> {
    const { name } = candidate.metadata;
    const owner = candidate.spec.workspace;
    const workspace = this.workspace(owner);
    if (workspace === undefined) {
      const code = this.#pins.of(owner) === undefined && !this.#pins.awaitsFirst ? "NotPinned" : "NoPolicy";
      throw new ZoppError(code, `environment ${name}: workspace ${owner} is not in force in this keyring`);
    }
    const accepted = this.#environments.get(name)?.environment;
    const judged = judgeEnvironment({ candidate, accepted, workspace, now: this.#options.now() });
    if (judged === accepted) return judged;
    this.#refuseForeign(judged, workspace);
    await this.#accept("environments", candidate, judged, actor);
    this.#serve(judged);
    return judged;
  }

  async #takeBaseline(candidate: ZoppBaseline, actor: string): Promise<AcceptedPolicy> {
    const { name } = candidate.metadata;
    const served = this.environment(name);
    if (served === undefined) {
      // one that is for other clusters will not come: nobody is to wait for it, nor to be told
      const isElsewhere = this.#verdicts.environments.get(name)?.refused?.code === "NotServedHere";
      const code = isElsewhere ? "NotServedHere" : "UnknownEnvironment";
      throw new ZoppError(code, `baseline ${name}: the environment is not in force in this keyring`);
    }
    const accepted = this.#baselines.get(name);
    const judged = judgedHere(candidate, served, this.#judging(name));
    if (judged === accepted) return judged;
    await this.#accept("baselines", candidate, judged, actor);
    this.#baselines.set(name, judged);
    this.#serve(served.environment);
    return judged;
  }

  #judging(name: string): Judging {
    const { log, now } = this.#options;
    return { accepted: this.#baselines.get(name), log, now: now() };
  }

  /** An environment is served only where policy names this cluster, with this log, and its newest key is wrapped to it. */
  #refuseForeign(judged: AcceptedEnvironment, workspace: AcceptedWorkspace): void {
    const cluster = this.#clusterIn(workspace);
    const what = `environment ${judged.path}`;
    if (cluster === undefined)
      throw new ZoppError("ClusterNotNamed", `${what}: workspace ${workspace.name} does not name this cluster`);
    const { clusters = [] } = ruleFor(workspace, judged.scope);
    if (!clusters.includes(cluster.name)) {
      const served = clusters.length === 0 ? "by no cluster" : `by ${clusters.join(", ")}`;
      throw new ZoppError("NotServedHere", `${what} is served ${served}, not by ${cluster.name}`);
    }
    const policy = { workspace, environment: judged };
    if (
      cluster.log !== this.#options.log &&
      !isVouchedFor(policy, this.#seen, this.#judging(judged.object.metadata.name))
    ) {
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
    const baseline = this.#baselines.get(name);
    this.#environments.set(name, { workspace, environment, cluster: this.#clusterIn(workspace), keys, baseline });
  }

  #clusterIn(workspace: AcceptedWorkspace): Cluster | undefined {
    return workspace.roster.clusters.get(this.#options.identity.signing.verifyKey.kid);
  }

  /** kube-system, the keyring's own namespace, and those of other workspaces' environments. */
  #reserved(workspace: string, own: readonly string[]): readonly string[] {
    const others = this.servedWorkspaces().filter(({ name }) => name !== workspace);
    return [
      ...own,
      ...others.flatMap(({ object }) => (object.spec.environments ?? []).flatMap(({ namespaces }) => namespaces)),
    ];
  }
}
