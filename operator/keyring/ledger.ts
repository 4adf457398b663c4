// The ledger: what this keyring has accepted, the fold of its log. Pure: records in, what is known of a place out.
// What is stored of it is parts.ts, when and where store.ts; nothing here knows of the API server.
import type { Accepted, AcceptedGenerated, PlaceLedger } from "../../crds/bundle/case.js";
import type { Action, AuditRecord } from "./records.js";

/** What was accepted last of a workspace, environment or baseline. */
export interface AcceptedPolicy {
  readonly digest: string;
  readonly version: number;
}

/** A place as records add to it. */
interface KnownPlace extends PlaceLedger {
  readonly entries: Map<string, Accepted>;
  readonly generated?: Map<string, AcceptedGenerated> | undefined;
}

/** A place as a snapshot stores it. */
export interface StoredPlace {
  readonly environment: string;
  readonly header: Accepted;
  readonly entries: Readonly<Record<string, Accepted>>;
  /** Absent where there are none. */
  readonly generated?: Readonly<Record<string, AcceptedGenerated>> | undefined;
}

/** Pins and policies as a snapshot stores them. */
export interface StoredPolicies {
  readonly workspaces: Readonly<Record<string, AcceptedPolicy>>;
  readonly environments: Readonly<Record<string, AcceptedPolicy>>;
  /** Absent in what was stored before there were any. */
  readonly baselines?: Readonly<Record<string, AcceptedPolicy>>;
  readonly pins: Readonly<Record<string, string>>;
}

/** The ledger of one keyring. */
export class Ledger {
  readonly #places = new Map<string, KnownPlace>();
  readonly #workspaces = new Map<string, AcceptedPolicy>();
  readonly #environments = new Map<string, AcceptedPolicy>();
  readonly #baselines = new Map<string, AcceptedPolicy>();
  /** Pins that were taken on first use, by workspace. */
  readonly #pins = new Map<string, string>();
  /** What each kind of record changes, at the object that it names. */
  readonly #changes: Readonly<Partial<Record<Action, Map<string, unknown>>>> = {
    open: this.#places,
    pin: this.#pins,
    "accept-workspace": this.#workspaces,
    "accept-environment": this.#environments,
    "accept-baseline": this.#baselines,
  };
  /** How to take back what was anticipated, in the order of the log. */
  readonly #anticipated: { readonly index: number; readonly takeBack: () => void }[] = [];

  /** What is known of a place (`namespace/name`). */
  place(key: string): PlaceLedger | undefined {
    return this.#places.get(key);
  }

  /** How many places are known. */
  get size(): number {
    return this.#places.size;
  }

  /** All places, to explain where a signature belongs. */
  *places(environment: string): Generator<{ readonly namespace: string; readonly name: string }> {
    for (const [key, place] of this.#places) {
      if (place.environment !== environment) continue;
      const slash = key.indexOf("/");
      yield { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
    }
  }

  get workspaces(): ReadonlyMap<string, AcceptedPolicy> {
    return this.#workspaces;
  }

  get environments(): ReadonlyMap<string, AcceptedPolicy> {
    return this.#environments;
  }

  get baselines(): ReadonlyMap<string, AcceptedPolicy> {
    return this.#baselines;
  }

  get pins(): ReadonlyMap<string, string> {
    return this.#pins;
  }

  /** Folds one record in. Records come in the order of the log. */
  apply(record: AuditRecord): void {
    const { action, decision, object, digest, version } = record;
    if (object === undefined || decision === "refused") return;
    if (action === "open") this.#accept(object, record);
    if (action === "pin" && record.pin !== undefined) this.#pins.set(object, record.pin);
    if (digest === undefined || version === undefined) return;
    if (action === "accept-workspace") this.#workspaces.set(object, { digest, version });
    if (action === "accept-baseline") this.#baselines.set(object, { digest, version });
    if (action === "accept-environment") this.#environments.set(object, { digest, version });
  }

  /** Folds a record in that is not stored yet: it is settled once it is, or taken back. */
  anticipate(record: AuditRecord): void {
    const { action, object, index } = record;
    const changed = this.#changes[action];
    if (changed !== undefined && object !== undefined) {
      const before = changed.get(object);
      const takeBack = () => void (before === undefined ? changed.delete(object) : changed.set(object, before));
      this.#anticipated.push({ index, takeBack });
    }
    this.apply(record);
  }

  /** The records below an index are stored: they stay. */
  settle(size: number): void {
    const waits = this.#anticipated.findIndex(({ index }) => index >= size);
    this.#anticipated.splice(0, waits === -1 ? this.#anticipated.length : waits);
  }

  /** Takes back whatever was anticipated and is not settled. */
  takeBack(): void {
    for (const { takeBack } of this.#anticipated.splice(0).reverse()) takeBack();
  }

  #accept(object: string, { environment, header, entries, generated }: AuditRecord): void {
    if (environment === undefined) return;
    const before = this.#places.get(object);
    const isNews = header !== undefined || entries !== undefined || generated !== undefined;
    if (before?.environment === environment && !isNews) return;
    const accepted = header ?? before?.header;
    if (accepted === undefined) throw new TypeError(`the log accepts entries of ${object} without a header`);
    const known = new Map(before?.entries ?? []);
    for (const [key, entry] of Object.entries(entries ?? {})) known.set(key, entry);
    const made = generated === undefined ? before?.generated : withValues(before?.generated, generated);
    this.#places.set(object, { environment, header: accepted, entries: known, ...(made && { generated: made }) });
  }

  /** Puts a place back from a snapshot. */
  restore(key: string, { environment, header, entries, generated }: StoredPlace): void {
    const made = generated && { generated: withValues(undefined, generated) };
    this.#places.set(key, { environment, header, entries: new Map(Object.entries(entries)), ...made });
  }

  /** Puts pins and policies back from a snapshot. */
  restorePolicies({ workspaces, environments, baselines = {}, pins }: StoredPolicies): void {
    for (const [name, accepted] of Object.entries(workspaces)) this.#workspaces.set(name, accepted);
    for (const [name, accepted] of Object.entries(environments)) this.#environments.set(name, accepted);
    for (const [name, accepted] of Object.entries(baselines)) this.#baselines.set(name, accepted);
    for (const [name, pin] of Object.entries(pins)) this.#pins.set(name, pin);
  }

  /** Pins and policies as snapshots store them. */
  storedPolicies(): StoredPolicies {
    return {
      workspaces: Object.fromEntries(this.#workspaces),
      environments: Object.fromEntries(this.#environments),
      baselines: Object.fromEntries(this.#baselines),
      pins: Object.fromEntries(this.#pins),
    };
  }

  /** All places as snapshots store them. */
  *stored(): Generator<readonly [string, StoredPlace]> {
    for (const [key, { environment, header, entries, generated }] of this.#places) {
      const made = generated && { generated: Object.fromEntries(generated) };
      yield [key, { environment, header, entries: Object.fromEntries(entries), ...made }];
    }
  }
}

function withValues<T>(
  before: ReadonlyMap<string, T> | undefined,
  values: Readonly<Record<string, T>>,
): Map<string, T> {
  return new Map([...(before ?? []), ...Object.entries(values)]);
}
