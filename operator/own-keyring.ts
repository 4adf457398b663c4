// Whether the keyring of the operator's own pod serves: one that stands by does not listen, so a connection tells.
// What an operator does about it is main.ts'.
import { connect } from "node:net";
import { pause } from "./kube/backoff.js";

/** How often to look while it stands by, and while it serves; and how long it may be away before it counts as gone. */
const TIMES = { waitingMs: 250, servingMs: 1_000, awayMs: 5_000 } as const;

/** The port of one keyring. Looked at until `stop()`. */
export class OwnKeyring {
  readonly #at: { readonly host: string; readonly port: number };
  readonly #times: Readonly<Record<keyof typeof TIMES, number>>;
  readonly #stopped = new AbortController();

  /** The address is host:port. */
  constructor(address: string, times: Readonly<Record<keyof typeof TIMES, number>> = TIMES) {
    const { hostname, port } = new URL(`tcp://${address}`);
    this.#at = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
    this.#times = times;
  }

  /** Resolves with true as soon as it serves, with false when it did not within that time, or was stopped. */
  async serves(withinMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const until = performance.now() + withinMs;
    for (;;) {
      if (this.#stopped.signal.aborted) return false;
      if (await this.#listens()) return true;
      if (performance.now() >= until) return false;
      await pause(this.#times.waitingMs, this.#stopped.signal);
    }
  }

  /** Resolves with true once it has not served for some seconds, with false when stopped before. */
  async gone(): Promise<boolean> {
    let awaySinceMs: number | undefined;
    while (!this.#stopped.signal.aborted) {
      awaySinceMs = (await this.#listens()) ? undefined : (awaySinceMs ?? performance.now());
      if (awaySinceMs !== undefined && performance.now() - awaySinceMs >= this.#times.awayMs) return true;
      await pause(this.#times.servingMs, this.#stopped.signal);
    }
    return false;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** One that hangs still listens: kubelet ends it. */
  #listens(): Promise<boolean> {
    const socket = connect(this.#at);
    return new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    }).finally(() => socket.destroy());
  }
}
