// What the keyring says it has accepted: asked again and again, kept, and compared with what it said before.
// Trusts the keyring only; the objects in the API are what it is asked about.
import type { ZoppError } from "../../crds/errors.js";
import { asZoppError } from "../../crds/errors.js";
import type { Description, KeyringClient, PolicyState } from "../keyring/client.types.js";
import type { Log } from "../kube/observe.js";
import { type Clock, systemClock } from "../kube/queue.js";

/** The kinds of policy that the keyring speaks of. */
export type PolicyKind = "workspaces" | "environments" | "baselines";

const POLICY_KINDS = [
  ["ZoppWorkspace", "workspaces"],
  ["ZoppEnvironment", "environments"],
  ["ZoppBaseline", "baselines"],
] as const;

/** What changed between two descriptions. */
export interface PolicyChange {
  /** Names of objects whose state is another one, or newly known. */
  readonly workspaces: ReadonlySet<string>;
  readonly environments: ReadonlySet<string>;
  readonly baselines: ReadonlySet<string>;
  /** Paths (`workspace/project/environment`) for which other policy is accepted now. */
  readonly accepted: ReadonlySet<string>;
  /** The keyring answers again, after it did not (or for the first time). */
  readonly recovered: boolean;
}

/** What the book needs. */
export interface PolicyBookOptions {
  readonly keyring: Pick<KeyringClient, "describe">;
  readonly log: Log;
  /** True while something in the API waits for the keyring's word: then it is asked more often. */
  pending(): boolean;
  changed(change: PolicyChange): void;
  readonly clock?: Clock;
}

/**
 * How often the keyring is asked: right after a change, then more and more seldom, since what belongs to a change may come
 * after it (environments after their workspace); while it is away, while something waits, and when all is quiet.
 */
const FIRST_MS = 100;
const AWAY_MS = 1_000;
const PENDING_MS = 5_000;
const QUIET_MS = 30_000;

/** The operator's knowledge of accepted policy. Live from `start()` to `stop()`. */
export class PolicyBook {
  readonly #options: PolicyBookOptions;
  readonly #clock: Clock;
  readonly #stopped = new AbortController();
  #description: Description | undefined;
  #problem: ZoppError | undefined;
  #intervalMs = FIRST_MS;
  #cancel: () => void = () => {};
  #asking: Promise<void> | undefined;
  #hasBegun = false;

  constructor(options: PolicyBookOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Begins to ask: nothing asks before. */
  start(): void {
    this.#hasBegun = true;
    this.#ask();
  }

  /** Asks no more; resolves when no listener will be called any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#cancel();
    await this.#asking;
  }

  /** Something in the API changed: ask soon, and then more and more seldom until nothing waits. */
  poke(): void {
    this.#intervalMs = FIRST_MS;
    if (this.#asking === undefined) this.#schedule(FIRST_MS);
  }

  /** Asks now, or joins the question that is on its way; resolves when the keyring has answered, or did not. */
  async refresh(): Promise<void> {
    this.#cancel();
    this.#ask();
    await this.#asking;
  }

  /** A call got no answer: asks now whether the keyring is away, unless that is known, so that its return is told. */
  doubt(): void {
    if (this.#problem !== undefined) return;
    this.#intervalMs = FIRST_MS;
    void this.refresh();
  }

  /** Null when the keyring answered last time, or is not asked yet, else why it did not. */
  get problem(): string | null {
    if (!this.#hasBegun) return null;
    if (this.#problem !== undefined) return `keyring: ${this.#problem.code}`;
    return this.#description === undefined ? "keyring: not asked yet" : null;
  }

  /** The keyring's word about itself; undefined until it has spoken. */
  get description(): Description | undefined {
    return this.#description;
  }

  /** What the keyring made of a workspace (its name), an environment or a baseline (`workspace.project.environment`). */
  state(kind: PolicyKind, name: string): PolicyState | undefined {
    return this.#description?.[kind].find((state) => state.name === name);
  }

  /** Whether the owners ask for approvals in an environment (its path); undefined until the keyring has accepted it. */
  asksApprovals(path: string): boolean | undefined {
    const state = this.state("environments", path.replaceAll("/", "."));
    return state?.accepted === undefined ? undefined : (state.approvals ?? false);
  }

  /** Digests of the workspace, environment and baseline accepted for a path; undefined until the keyring has spoken. */
  policyOf(path: string): readonly string[] | undefined {
    return this.#description === undefined ? undefined : acceptedFor(this.#description, path);
  }

  #schedule(delayMs: number): void {
    this.#cancel();
    if (this.#stopped.signal.aborted) return;
    this.#cancel = this.#clock.after(delayMs, () => this.#ask());
  }

  #ask(): void {
    if (!this.#hasBegun || this.#asking !== undefined || this.#stopped.signal.aborted) return;
    this.#asking = this.#once().finally(() => {
      this.#asking = undefined;
      const isAway = this.#problem !== undefined;
      const soon = isAway || this.#intervalMs < PENDING_MS || this.#options.pending();
      this.#intervalMs = soon ? Math.min(this.#intervalMs * 2, isAway ? AWAY_MS : PENDING_MS) : QUIET_MS;
      this.#schedule(this.#intervalMs);
    });
  }

  async #once(): Promise<void> {
    const before = this.#description;
    const recovered = before === undefined || this.#problem !== undefined;
    try {
      this.#description = await this.#options.keyring.describe(this.#stopped.signal);
      this.#problem = undefined;
    } catch (thrown) {
      const err = asZoppError(thrown, "asking the keyring");
      if (this.#problem?.code !== err.code && !this.#stopped.signal.aborted) {
        this.#options.log.warn({ err }, "the keyring does not answer");
      }
      this.#problem = err;
      return;
    }
    const change = differences(before, this.#description, recovered);
    if (recovered) this.#options.log.info({ ready: this.#description.ready }, "the keyring answers");
    const { workspaces, environments, baselines, accepted } = change;
    const changed = [workspaces, environments, baselines, accepted].some(({ size }) => size > 0);
    if (changed) this.#intervalMs = FIRST_MS;
    if (recovered || changed) this.#options.changed(change);
  }
}

/** `[workspace digest, environment digest, baseline digest]`, each only when accepted: the order in which the keyring reports them. */
export function acceptedFor(description: Description, path: string): readonly string[] {
  const [workspace] = path.split("/");
  const states = [
    description.workspaces.find(({ name }) => name === workspace),
    description.environments.find(({ name }) => name === path.replaceAll("/", ".")),
    description.baselines.find(({ name }) => name === path.replaceAll("/", ".")),
  ];
  return states.flatMap((state) => (state?.accepted === undefined ? [] : [state.accepted.digest]));
}

/** What the keyring makes of one object, as its condition Ready says it. */
export function policyReason({ accepted, refused }: PolicyState): string {
  return refused?.code ?? (accepted === undefined ? "Waiting" : "Accepted");
}

/** What the keyring makes of all workspaces, environments and baselines: `Accepted`, `Waiting`, or why one is refused, and how many. */
export function policyReasons(
  description: Description | undefined,
): readonly { kind: string; reason: string; count: number }[] {
  return POLICY_KINDS.flatMap(([kind, all]) => {
    const reasons = Map.groupBy(description?.[all] ?? [], policyReason);
    return [...reasons].map(([reason, { length }]) => ({ kind, reason, count: length }));
  });
}

/** Compares two descriptions of the keyring. */
export function differences(before: Description | undefined, now: Description, recovered: boolean): PolicyChange {
  const paths = new Set(
    [...(before?.environments ?? []), ...now.environments].map(({ name }) => name.replaceAll(".", "/")),
  );
  const moved = [...paths].filter((path) => {
    const old = before === undefined ? undefined : acceptedFor(before, path);
    return old === undefined || old.join() !== acceptedFor(now, path).join();
  });
  return {
    workspaces: changedNames(before?.workspaces, now.workspaces),
    environments: changedNames(before?.environments, now.environments),
    baselines: changedNames(before?.baselines, now.baselines),
    accepted: new Set(moved),
    recovered,
  };
}

function changedNames(before: readonly PolicyState[] = [], now: readonly PolicyState[]): ReadonlySet<string> {
  const old = new Map(before.map((state) => [state.name, fingerprint(state)]));
  const names = now.filter((state) => old.get(state.name) !== fingerprint(state)).map(({ name }) => name);
  const gone = before.filter(({ name }) => !now.some((state) => state.name === name)).map(({ name }) => name);
  return new Set([...names, ...gone]);
}

function fingerprint({ uid, generation, accepted, refused, joinRequests }: PolicyState): string {
  const said = [accepted?.version, accepted?.digest, refused?.code, refused?.message];
  return JSON.stringify([uid, generation, ...said, joinRequests?.map(({ signature }) => signature)]);
}
