// A person who changes values all the time, and a witness of what became of each: while zopp is upgraded, killed or moved.
// Does not own what happens to zopp meanwhile.
import { setTimeout as sleep } from "node:timers/promises";
import type { Test } from "tap";
import { newBundle } from "../crds/bundle/edit.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import type { ApiClient } from "../operator/kube/client.js";
import { type KubeObject, SECRETS, ZOPP_SECRETS } from "../operator/kube/resources.js";
import { eventually } from "./eventually.js";
import { withValue } from "./fixtures.js";

/** What the witness saw. */
export interface Outcome {
  /** Values that were changed, the first ones not counted. */
  readonly changes: number;
  /** Times that a Secret was seen with a new value. */
  readonly applied: number;
  /** Secrets that were written although their value stayed the same. */
  readonly repeated: readonly string[];
  /** Values that nobody had written there, or an older one after a newer. */
  readonly wrong: readonly string[];
  /** Secrets that do not hold the last value. */
  readonly lost: readonly string[];
  /** From the API server's answer to a change until its Secret (or a later one) was seen. */
  readonly longestMs: number;
}

/** Who changes what. */
export interface LoadOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** How many there are. */
  readonly bundles: number;
  readonly writing: Parameters<typeof withValue>[3];
}

const KEY = "COUNT";
const PATIENCE_MS = 120_000;
/** One alone writes about fifty in a second where it shares two cores with the API server, which may be what is asked for. */
const WRITERS = 4;
const nameOf = (at: number): string => `load-${String(at).padStart(3, "0")}`;

/** One bundle under load: what was written, and what its Secret showed. */
class Subject {
  readonly written: number[] = [];
  bundle: ZoppSecret;
  shown = -1;

  constructor(bundle: ZoppSecret) {
    this.bundle = bundle;
  }

  get last(): number {
    return this.written.length - 1;
  }

  wrote(): void {
    this.written.push(performance.now());
  }

  /** Takes note of a shown value; gives how long the changes up to it had waited. */
  show(value: number): number {
    const oldest = this.written[this.shown + 1] ?? performance.now();
    this.shown = value;
    return performance.now() - oldest;
  }
}

/** Follows the Secrets of a namespace and judges each state it sees. */
class Witness {
  readonly repeated: string[] = [];
  readonly wrong: string[] = [];
  applied = 0;
  longestMs = 0;
  readonly #subjects: ReadonlyMap<string, Subject>;

  constructor(subjects: ReadonlyMap<string, Subject>) {
    this.#subjects = subjects;
  }

  async follow(client: ApiClient, namespace: string, from: string, signal: AbortSignal): Promise<void> {
    let resourceVersion = from;
    while (!signal.aborted) {
      const options = { namespace, resourceVersion, timeoutSeconds: 600, quietMs: 600_000, signal };
      for await (const { type, object } of client.watch<Found>(SECRETS, options)) {
        resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
        if (type === "ADDED" || type === "MODIFIED") this.#see(object);
        else if (type === "DELETED") this.wrong.push(`${object.metadata.name} was deleted`);
      }
    }
  }

  #see({ metadata: { name }, data }: Found): void {
    const subject = this.#subjects.get(name);
    if (subject === undefined) return;
    const value = Number(Buffer.from(data?.[KEY] ?? "", "base64").toString());
    // a value can be seen before the answer to its change has come back: the next one may be on its way
    if (!Number.isInteger(value) || value < subject.shown || value > subject.last + 1) {
      this.wrong.push(`${name} showed ${value} after ${subject.shown}, written up to ${subject.last}`);
    } else if (value === subject.shown) this.repeated.push(`${name}: ${value}`);
    else {
      this.applied += 1;
      this.longestMs = Math.max(this.longestMs, subject.show(value));
    }
  }
}

interface Found extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Bundles `load-000`… and their Secrets. Live from `begin` to `end`. */
export class Load {
  readonly #options: LoadOptions;
  readonly #subjects: ReadonlyMap<string, Subject>;
  readonly #witness: Witness;
  readonly #ended = new AbortController();
  #firsts = 0;
  #changes = 0;

  private constructor(options: LoadOptions) {
    const { namespace, bundles, writing } = options;
    const names = Array.from({ length: bundles }, (_, at) => nameOf(at));
    this.#options = options;
    this.#subjects = new Map(names.map((name) => [name, new Subject(newBundle({ namespace, name }, writing))]));
    this.#witness = new Witness(this.#subjects);
  }

  /** Writes every bundle once, and waits until every Secret is there. `blind` is told when the witness lost sight. */
  static async begin(options: LoadOptions, blind: (error: unknown) => void): Promise<Load> {
    const load = new Load(options);
    const { client, namespace } = options;
    const { metadata } = await client.list(SECRETS, { namespace, metadataOnly: true });
    load.#witness.follow(client, namespace, metadata.resourceVersion ?? "", load.#ended.signal).catch(blind);
    for (const subject of load.#subjects.values()) await load.#change(subject);
    await eventually(() => load.isShown, { timeoutMs: PATIENCE_MS, message: "every Secret is there" });
    load.#firsts = load.#witness.applied;
    return load;
  }

  /** True when every Secret shows the last value. */
  get isShown(): boolean {
    return [...this.#subjects.values()].every(({ shown, last }) => shown === last);
  }

  /** How many values were changed so far. */
  get changes(): number {
    return this.#changes;
  }

  /** How many new values were seen so far. */
  get applied(): number {
    return this.#witness.applied - this.#firsts;
  }

  /** Changes values, so many in a second, until it is over: several writers do, each of its own bundles one after the other. */
  async run(perSecond: number, isOver: () => boolean): Promise<void> {
    const all = [...this.#subjects.values()];
    const writers = Math.min(WRITERS, all.length);
    const begun = performance.now();
    const write = async (writer: number): Promise<void> => {
      const own = all.filter((_, at) => at % writers === writer);
      for (let at = 0; !isOver(); at += 1) {
        const due = begun + ((at * writers + writer) * 1000) / perSecond;
        await sleep(Math.max(0, due - performance.now()));
        await this.#change(own[at % own.length] as Subject);
        this.#changes += 1;
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: writers }, (_, writer) => write(writer)));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** Changes every value at once. */
  async burst(): Promise<void> {
    await Promise.all([...this.#subjects.values()].map((subject) => this.#change(subject)));
    this.#changes += this.#subjects.size;
  }

  /** Waits until every Secret shows its last value, or gives up; what was seen. */
  async end(): Promise<Outcome> {
    await eventually(() => this.isShown, { timeoutMs: PATIENCE_MS }).catch(() => undefined);
    this.#ended.abort();
    const { repeated, wrong, longestMs } = this.#witness;
    const lost = [...this.#subjects].filter(([, { shown, last }]) => shown !== last).map(([name]) => name);
    const { changes, applied } = this;
    return { changes, applied, repeated, wrong, lost, longestMs: Math.round(longestMs) };
  }

  /** Writes the next value; a change that the API server did not take is tried until it does. */
  async #change(subject: Subject): Promise<void> {
    const { client, writing } = this.#options;
    const next = withValue(subject.bundle, KEY, String(subject.last + 1), { ...writing, now: new Date() });
    await eventually(() => client.apply(ZOPP_SECRETS, next, { fieldManager: "load", force: true }), {
      timeoutMs: PATIENCE_MS,
    });
    subject.bundle = next;
    subject.wrote();
  }
}

/** Fails unless every change arrived, once, and nothing else did. */
export function judgeLoad(t: Pick<Test, "ok" | "strictSame" | "comment">, outcome: Outcome): void {
  t.ok(outcome.changes > 0, "values changed meanwhile");
  t.strictSame(outcome.wrong, [], "no Secret was ever wrong");
  t.strictSame(outcome.lost, [], "no change was lost");
  t.strictSame(outcome.repeated, [], "none was applied twice");
  t.comment(
    `${outcome.changes} changes meanwhile, ${outcome.applied} seen one by one, the longest wait ${outcome.longestMs} ms`,
  );
}
