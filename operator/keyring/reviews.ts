// Policy is judged as it changes: one judgement at a time, and one more round for what changed meanwhile.
// How it is judged is policy.ts'.
import type { Reviewed } from "./policy.types.js";
import { Turns } from "./turns.js";
import type { WatchedPolicy } from "./watched.js";

/** A policy that was refused for its time (too far ahead, not yet known) is judged again this often. */
const REVIEW_MS = 30_000;

/** Judges what is watched. Live from `start` to `stop`. */
export class Reviews {
  readonly #watched: WatchedPolicy;
  readonly #review: (present: Reviewed) => Promise<void>;
  readonly #turns = new Turns();
  #running: Promise<void> | null = null;
  #again = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(watched: WatchedPolicy, review: (present: Reviewed) => Promise<void>) {
    this.#watched = watched;
    this.#review = review;
  }

  start(): void {
    this.#watched.start(() => this.due());
    this.#timer = setInterval(() => this.due(), REVIEW_MS);
    this.#timer.unref();
  }

  /** Resolves when nothing is being judged any more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#watched.stop();
    await this.#running;
    await this.#turns.next(async () => undefined);
  }

  /** Judgements of policy build on each other: each waits for the one before. */
  inTurn<T>(judge: () => Promise<T>): Promise<T> {
    return this.#turns.next(judge);
  }

  /** Judges what is there, again or for the first time. */
  due(): void {
    this.#again = true;
    this.#running ??= this.#reviewAll().finally(() => {
      this.#running = null;
    });
  }

  async #reviewAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#watched.workspacesKnown();
      await this.inTurn(() => this.#review(this.#watched.present()));
    }
  }
}
