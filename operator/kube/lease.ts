// One process of several leads, by a Lease: stands by, takes it, renews it, gives it up. What to do is lease.plan.ts'.
// Owns no work: whoever leads asks `leads` before each write and ends when the Lease is lost.
//
// Written here because no library does it: client-node and k8s-operator know no Leases, and what stands on client-node's
// requests neither watches, nor releases, nor tells a writer that its time is up.
import { ZoppError } from "../../crds/errors.js";
import { pause } from "./backoff.js";
import type { ApiClient } from "./client.js";
import { hasStatus, orAbsent } from "./errors.js";
import {
  heldLease,
  holderOf,
  LEASE_TIMES,
  type Lease,
  type LeaseTimes,
  leaseStep,
  releasedLease,
  type Sighting,
  shardsOf,
  sight,
} from "./lease.plan.js";
import { isWithin, type Moment, moment } from "./moment.js";
import type { Log } from "./observe.js";
import { FIELD_MANAGER, keyOf, LEASES, type Place } from "./resources.js";

/** How a process stands for election. */
export interface ElectionOptions {
  /** A client of its own: renewals must not wait behind the work, nor be refused with it. */
  readonly client: Pick<ApiClient, "get" | "apply" | "watch">;
  readonly place: Place;
  /** The name of this process, which no other one ever has, not even after a restart. */
  readonly identity: string;
  readonly log: Log;
  readonly times?: LeaseTimes;
  /**
   * By how many shards the work is divided, which its Lease says (default 1). One that said another number is held for as long as
   * it lasts before anybody leads: by then all who went by that number have seen that it changes, or have stopped.
   */
  readonly shards?: number;
  /** For how long a Lease that is not there binds (default: until its holder, if it has one, has put it back). */
  readonly absentMs?: number;
  /** Takes the Lease by `write` and says true, or does not: false. */
  readonly take?: (write: () => Promise<void>) => Promise<boolean>;
  /** The Lease is somebody else's, or could not be renewed in time: nothing more may be written, and there is no way back. */
  lost(error: ZoppError): void;
}

const now = () => performance.now();

/** One candidate of one election. Live from `campaign()` to `release()` or until it has lost. */
export class Election {
  readonly #options: ElectionOptions;
  readonly #times: LeaseTimes;
  readonly #stopped = new AbortController();
  #seen: Sighting | undefined;
  /** When its last renewal was sent. */
  #renewed: Moment | undefined;
  /** Since when the Lease says, by this process, that the number of shards changes. */
  #changesSinceMs: number | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  readonly #led = Promise.withResolvers<boolean>();
  #leader: string | undefined;
  #hasSeenAnother = false;
  /** Why it could not stand by the last time: said once. */
  #hindrance: string | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
  }

  /** True while this process leads. False in the moment in which its time is up, also after a pause that it did not notice. */
  get leads(): boolean {
    return this.#holds && shardsOf(this.#seen?.lease) === this.#shards;
  }

  /** True once another one was seen to lead: this process stands by, or did. */
  get hasStoodBy(): boolean {
    return this.#hasSeenAnother;
  }

  get #holds(): boolean {
    return isWithin(this.#times.deadlineMs, this.#renewed);
  }

  get #shards(): number {
    return this.#options.shards ?? 1;
  }

  get #absentMs(): number {
    return this.#options.absentMs ?? 2 * this.#times.retryMs;
  }

  get #sighting(): Sighting {
    return this.#seen ?? sight(undefined, undefined, now(), this.#absentMs);
  }

  /** Stands by until it leads: true. False when it was released before. From then on it renews by itself. */
  campaign(): Promise<boolean> {
    const won = this.#standBy();
    this.#running = won;
    return won.then((holds) => {
      if (!holds) return false;
      this.#running = this.#keep();
      return this.#led.promise;
    });
  }

  /**
   * Ends the candidacy. Whoever leads gives the Lease up, so that the next one begins at once: call it when the last write
   * has been answered. Never throws: a Lease that cannot be given up runs out.
   */
  async release(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    clearTimeout(this.#watchdog);
    this.#led.resolve(false);
    const held = this.#seen?.lease;
    if (!this.#holds || held === undefined) return;
    this.#renewed = undefined;
    const { client, place, log } = this.#options;
    try {
      const signal = this.#patience();
      await client.apply(LEASES, releasedLease(held, place, new Date()), { fieldManager: FIELD_MANAGER, signal });
      log.info({ lease: keyOf({ metadata: place }) }, "gave the lease up");
    } catch (err) {
      log.warn({ lease: keyOf({ metadata: place }), err }, "cannot give the lease up: it runs out");
    }
  }

  async #standBy(): Promise<boolean> {
    while (!this.#stopped.signal.aborted) {
      const lookedAt = now();
      try {
        await this.#look();
        if (this.#step() === "wait") await this.#follow();
        this.#hindrance = undefined;
        if (this.#step() !== "wait" && !this.#stopped.signal.aborted && (await this.#take())) return true;
      } catch (err) {
        this.#hindered(err);
      }
      await pause(Math.max(0, lookedAt + this.#times.retryMs - now()), this.#stopped.signal);
    }
    return false;
  }

  async #take(): Promise<boolean> {
    const write = () => this.#write();
    if (this.#options.take !== undefined) return this.#options.take(write);
    await write();
    return true;
  }

  #hindered(err: unknown): void {
    // another candidate was faster
    if (this.#stopped.signal.aborted || hasStatus(err, 409)) return;
    const { log, place } = this.#options;
    const rights = `: the account needs get, watch, create, patch on the lease ${keyOf({ metadata: place })}`;
    const why = `cannot stand by${hasStatus(err, 403) ? rights : ""}`;
    if (why !== this.#hindrance) log.warn({ lease: keyOf({ metadata: place }), err }, why);
    this.#hindrance = why;
  }

  /** Renews until released or lost. */
  async #keep(): Promise<void> {
    while (this.#holds) {
      await pause(this.#times.retryMs, this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      // a machine that slept wakes up here: what it holds may be another's by now
      if (this.#holds) await this.#renew();
    }
    this.#lose("its time was up before it was renewed");
  }

  async #renew(): Promise<void> {
    try {
      await this.#write();
    } catch (err) {
      this.#options.log.warn({ err }, "cannot renew the lease");
      if (!hasStatus(err, 409)) return;
      // somebody changed it, or it was us and the answer was lost: any number may have stood there meanwhile
      this.#changesSinceMs = undefined;
      await this.#look().catch(() => {});
      const holder = holderOf(this.#seen?.lease);
      if (holder !== this.#options.identity) this.#lose(`it is held by ${holder === "" ? "nobody" : holder}`);
    }
  }

  /** Takes or renews. Throws ApiConflict when somebody else has changed the Lease since it was seen. */
  async #write(): Promise<void> {
    const { client, place, identity } = this.#options;
    const seen = this.#sighting;
    const sent = moment();
    const holding = { me: identity, times: this.#times, shards: this.#sayable(seen.lease) };
    const wanted = heldLease(seen, place, holding, new Date());
    const lease = await client.apply<Lease>(LEASES, wanted, { fieldManager: FIELD_MANAGER, signal: this.#patience() });
    this.#see(lease);
    this.#renewed = sent;
    clearTimeout(this.#watchdog);
    const leftMs = Math.max(0, sent.steadyMs + this.#times.deadlineMs - now());
    this.#watchdog = setTimeout(() => this.#lose("it could not be renewed in time"), leftMs);
    if (this.leads) this.#led.resolve(true);
    else this.#changesSinceMs ??= now();
  }

  /** The number of shards that the Lease may say once this process writes it: its own, or none while the number changes. */
  #sayable(lease: Lease | undefined): number {
    const hasWaited = this.#changesSinceMs !== undefined && now() - this.#changesSinceMs >= this.#times.durationMs;
    return shardsOf(lease) === this.#shards || hasWaited ? this.#shards : 0;
  }

  async #look(): Promise<void> {
    const { client, place } = this.#options;
    const signal = AbortSignal.any([this.#patience(), this.#stopped.signal]);
    this.#see(await orAbsent(client.get<Lease>(LEASES, place, { signal })));
  }

  /** Watches somebody else's Lease until it is free, or until nothing was heard for as long as it binds. */
  async #follow(): Promise<void> {
    const { lease, boundUntilMs } = this.#sighting;
    const quietMs = Math.max(1, boundUntilMs - now());
    const { namespace, name } = this.#options.place;
    const { resourceVersion } = lease?.metadata ?? {};
    if (resourceVersion === undefined) return pause(Math.min(quietMs, this.#times.retryMs), this.#stopped.signal);
    const scope = { namespace, fieldSelector: `metadata.name=${name}`, signal: this.#stopped.signal };
    const times = { resourceVersion, quietMs, timeoutSeconds: 300 };
    for await (const { type, object } of this.#options.client.watch<Lease>(LEASES, { ...scope, ...times })) {
      if (type === "BOOKMARK") continue;
      this.#see(type === "DELETED" ? undefined : object);
      if (this.#step() !== "wait") return;
    }
  }

  #see(lease: Lease | undefined): void {
    this.#seen = sight(lease, this.#seen, now(), this.#absentMs);
    const leader = holderOf(lease);
    if (leader === this.#leader) return;
    this.#leader = leader;
    const fields = { lease: keyOf({ metadata: this.#options.place }), leader };
    const isMe = leader === this.#options.identity;
    this.#hasSeenAnother ||= leader !== "" && !isMe;
    this.#options.log.info(fields, leader === "" ? "nobody leads" : isMe ? "leads" : "another one leads: standing by");
  }

  #step() {
    return leaseStep(this.#sighting, this.#options.identity, now()).do;
  }

  #lose(why: string): void {
    clearTimeout(this.#watchdog);
    this.#renewed = undefined;
    this.#led.resolve(false);
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    this.#options.lost(new ZoppError("NotLeading", `the lease ${keyOf({ metadata: this.#options.place })}: ${why}`));
  }

  /** One request may take half of what a renewal may: a second one follows on another connection. */
  #patience(): AbortSignal {
    return AbortSignal.timeout(this.#times.deadlineMs / 2);
  }
}
