// What one key may take of the port: connections, calls a second, and what becomes of one that takes far more.
// A key that floods is cut off for a while before its calls cost anything; the operator's own work goes on meanwhile.
import { KeyedRates, Rate } from "./limits.js";

/** Limits for each key but the operator's calls. */
const LIMITS = {
  /** Live connections of one key. */
  connections: 8,
  /** Connections of keys that are not admitted: beyond that the oldest one goes, so that nobody holds the door shut. */
  strangers: 64,
  callsPerSecond: 50,
  /** A key that is refused so often within a ban's time is cut off. */
  refusals: 100,
  banMs: 10_000,
  /** Handshakes that one address may begin a second: they cost more than calls. */
  handshakesPerSecond: 50,
  /** Calls a second of keys that are not admitted, from one address: half of what all such keys have together. */
  strangerCallsPerSecond: 10,
  /** Keys and addresses that are remembered after their last connection has ended. */
  remembered: 1_000,
} as const;

/** What a call's caller may do: call, be told that it is too much, or be cut off. */
export type Verdict = "call" | "refuse" | "cut";

interface Caller {
  readonly rate: Rate;
  connections: number;
  refusals: number;
  /** When its refusals began to count. */
  since: number;
  bannedUntil: number;
}

/** The keys that call, by kid; `now` gives milliseconds. */
export class Callers {
  readonly #now: () => number;
  readonly #callers = new Map<string, Caller>();
  /** By address. */
  readonly #doors: KeyedRates;
  readonly #asking: KeyedRates;
  /** Ends the connection of a stranger; the oldest first. */
  readonly #strangers = new Set<() => void>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    const rates = (perSecond: number) => new KeyedRates(() => new Rate(perSecond, now), LIMITS.remembered);
    this.#doors = rates(LIMITS.handshakesPerSecond);
    this.#asking = rates(LIMITS.strangerCallsPerSecond);
  }

  /** Whether an address may begin one more handshake. */
  knocks(address: string): boolean {
    return this.#doors.of(address).take();
  }

  /** Whether an address may have one more call of a key that is not admitted: none takes what those of others may have. */
  asks(address: string): boolean {
    return this.#asking.of(address).take();
  }

  /** Whether a key may have one more connection; it is counted until `left`. */
  came(kid: string): boolean {
    const caller = this.#of(kid);
    if (caller.bannedUntil > this.#now() || caller.connections >= LIMITS.connections) return false;
    caller.connections += 1;
    return true;
  }

  left(kid: string): void {
    const caller = this.#callers.get(kid);
    if (caller !== undefined) caller.connections -= 1;
    this.#forget();
  }

  /** Counts a connection of a key that is not admitted yet; gives what ends the counting. */
  stranger(close: () => void): () => void {
    const [oldest] = this.#strangers;
    if (oldest !== undefined && this.#strangers.size >= LIMITS.strangers) {
      this.#strangers.delete(oldest);
      oldest();
    }
    this.#strangers.add(close);
    return () => this.#strangers.delete(close);
  }

  /** What becomes of a key's next call. */
  calls(kid: string): Verdict {
    const caller = this.#of(kid);
    if (caller.rate.take()) return "call";
    const now = this.#now();
    if (now - caller.since > LIMITS.banMs) [caller.since, caller.refusals] = [now, 0];
    caller.refusals += 1;
    if (caller.refusals <= LIMITS.refusals) return "refuse";
    caller.bannedUntil = now + LIMITS.banMs;
    return "cut";
  }

  #of(kid: string): Caller {
    const known = this.#callers.get(kid);
    if (known !== undefined) return known;
    const caller = {
      rate: new Rate(LIMITS.callsPerSecond, this.#now),
      connections: 0,
      refusals: 0,
      since: Number.NEGATIVE_INFINITY,
      bannedUntil: Number.NEGATIVE_INFINITY,
    };
    this.#callers.set(kid, caller);
    return caller;
  }

  /** The keys without a connection go, oldest first, once there are many: any stranger can make new ones. */
  #forget(): void {
    for (const [kid, { connections }] of this.#callers) {
      if (this.#callers.size <= LIMITS.remembered) return;
      if (connections === 0) this.#callers.delete(kid);
    }
  }
}
