// Stands between two processes and spoils what goes over the wire: late, not at all, cut off, changed, closed on one side.
// Knows nothing of what is said; HTTP's own faults are faulting-proxy.ts'.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What is done to connections, those that are open and those that come. */
export type Spoil =
  /** Every part arrives so many milliseconds later. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Connections break, all of them, and again so often. */
  | { readonly kind: "cut"; readonly everyMs: number }
  /** One bit of every so many parts is another. */
  | { readonly kind: "corrupt"; readonly every: number }
  /** Each connection is closed in one direction, and stays open in the other, on which nothing comes. */
  | { readonly kind: "half-close" }
  /** Nothing arrives, and nothing says so. */
  | { readonly kind: "silence" };

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** A running proxy on 127.0.0.1. Live until `stop()`. */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #spoil: Spoil | undefined;
  #cutting: NodeJS.Timeout | undefined;
  #parts = 0;
  #spoilt = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** A proxy before what listens at this port. */
  static async start(to: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const proxy = new TcpProxy(server);
    server.on("connection", (near) => proxy.#join(near, to));
    return proxy;
  }

  /** How many parts or connections were spoilt so far. */
  get spoilt(): number {
    return this.#spoilt;
  }

  /** From now on this is done. */
  spoil(spoil: Spoil): void {
    this.lift();
    this.#spoil = spoil;
    if (spoil.kind === "cut") {
      this.#cut();
      this.#cutting = setInterval(() => this.#cut(), spoil.everyMs);
    } else if (spoil.kind === "half-close") for (const pair of this.#pairs) this.#halfClose(pair);
    else if (spoil.kind === "silence") for (const pair of this.#pairs) this.#silence(pair);
  }

  /** From now on everything passes. Connections that were spoilt for good break; silent ones go on. */
  lift(): void {
    const before = this.#spoil;
    this.#spoil = undefined;
    clearInterval(this.#cutting);
    if (before?.kind === "half-close") this.#cut();
    if (before?.kind === "silence")
      for (const { near, far } of this.#pairs) for (const one of [near, far]) one.resume();
  }

  /** Ends every connection. */
  async stop(): Promise<void> {
    this.lift();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#cut();
    await closed;
  }

  #join(near: Socket, to: number): void {
    const far = connect({ port: to, host: "127.0.0.1", allowHalfOpen: true });
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("error", () => end(pair));
      from.on("close", () => end(pair) || this.#pairs.delete(pair));
      from.on("data", (part: Buffer) => this.#pass(pair, from, other, part));
      from.on("end", () => other.end());
    }
    if (this.#spoil?.kind === "half-close") this.#halfClose(pair);
    if (this.#spoil?.kind === "silence") this.#silence(pair);
  }

  #pass(pair: Pair, from: Socket, other: Socket, part: Buffer): void {
    if (this.#spoil?.kind === "delay") {
      this.#spoilt += 1;
      from.pause();
      setTimeout(() => {
        if (!other.destroyed) other.write(part);
        if (this.#spoil?.kind !== "silence") from.resume();
      }, this.#spoil.ms);
      return;
    }
    this.#parts += 1;
    if (this.#spoil?.kind === "corrupt" && this.#parts % this.#spoil.every === 0) {
      this.#spoilt += 1;
      part[part.length >> 1] = (part[part.length >> 1] ?? 0) ^ 1;
    }
    if (other.write(part)) return;
    from.pause();
    other.once("drain", () => this.#spoil?.kind !== "silence" && this.#pairs.has(pair) && from.resume());
  }

  #cut(): void {
    for (const pair of this.#pairs) {
      this.#spoilt += 1;
      end(pair);
    }
  }

  /** The client hears the end of what the server says; what it says itself goes nowhere. */
  #halfClose({ near }: Pair): void {
    this.#spoilt += 1;
    near.pause();
    near.end();
  }

  #silence({ near, far }: Pair): void {
    this.#spoilt += 1;
    near.pause();
    far.pause();
  }
}

/** As when one side has gone: the other is told at once, by a reset. A call that was not received yet is given up: a reset waits for it. */
function end({ near, far }: Pair): undefined {
  for (const one of [near, far]) one.connecting ? one.destroy() : one.resetAndDestroy();
}
