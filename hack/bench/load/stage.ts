// What the scenarios share: one zopp, started when the first of them asks for it, another one behind a proxy, and the raw
// limit of this API server on this machine in this run.
import { FaultingProxy } from "../../faulting-proxy.js";
import type { RawRate } from "../raw.js";
import { bestInFlight, rawLimit } from "../raw.limit.js";
import { startWorld, type World, type WorldOptions } from "../world.js";
import { rawEdits } from "./stock.js";

/** What the bare client reached, and with how many requests in flight. */
export interface Raw extends RawRate {
  readonly inFlight: number;
  /** Bundles that it changes a second while nobody follows them: a larger write than a Secret or a status, checked against a schema. */
  readonly editsPerSecond: number;
}

/** Writes by their kind: edits of bundles, and Secrets, statuses and the like. */
export interface Writes {
  readonly edits: number;
  readonly others: number;
}

/** A zopp whose both processes reach the API server through a proxy. */
export interface Proxied {
  readonly world: World;
  readonly proxy: FaultingProxy;
}

/** The share of the raw limit: the seconds that the bare client takes for these writes, by those that they took. */
export function shareOf(
  { bundlesPerSecond, editsPerSecond }: Pick<Raw, "bundlesPerSecond" | "editsPerSecond">,
  { edits, others }: Writes,
  seconds: number,
): number {
  return (edits / editsPerSecond + others / WRITES_A_BUNDLE / bundlesPerSecond) / seconds;
}

/** The bare client's: a Secret and a status. */
const WRITES_A_BUNDLE = 2;

/** What a stage is made of. */
export interface StageOptions {
  /** The measure of all sizes. */
  readonly bundles: number;
  /** Tells how far a scenario is. */
  readonly say: (text: string) => void;
  /** What is run. Default: what `make bundle` has made. */
  readonly programs?: WorldOptions["programs"];
  /** The command line that is run. Default: the same. */
  readonly cli?: string;
}

/** Where scenarios take place. Always `stop()` it. */
export class Stage {
  readonly bundles: StageOptions["bundles"];
  readonly say: StageOptions["say"];
  readonly cli: StageOptions["cli"];
  readonly #programs: StageOptions["programs"];
  #world: World | undefined;
  #proxied: Proxied | undefined;
  #raw: Raw | undefined;

  constructor({ bundles, say, programs, cli }: StageOptions) {
    this.bundles = bundles;
    this.say = say;
    this.cli = cli;
    this.#programs = programs;
  }

  /** A zopp of its own, which is its caller's to stop. */
  start(options: WorldOptions = {}): Promise<World> {
    return startWorld({ ...options, ...(this.#programs === undefined ? {} : { programs: this.#programs }) });
  }

  /** The zopp of most scenarios; its operator does not run. */
  async world(): Promise<World> {
    this.#world ??= await this.start({ apart: true });
    await this.#world.testbed.operator.stop();
    return this.#world;
  }

  /** The zopp behind a proxy, which spoils nothing; its operator does not run. */
  async proxied(): Promise<Proxied> {
    this.#proxied ??= await this.#startProxied();
    this.#proxied.proxy.lift();
    await this.#proxied.world.testbed.operator.stop();
    return this.#proxied;
  }

  /** The raw limit, measured once. */
  async raw(): Promise<Raw> {
    if (this.#raw !== undefined) return this.#raw;
    const world = await this.world();
    this.say(world.cores);
    const inFlight = await bestInFlight(world, Math.ceil(this.bundles / 4), this.say);
    const rate = await rawLimit(world, "xwing-raw", { inFlight, count: this.bundles });
    const editsPerSecond = await rawEdits(world.testbed, world.environments.xwing, { inFlight, count: this.bundles });
    const [bundles, edits] = [rate.bundlesPerSecond, editsPerSecond].map((each) => each.toFixed(0));
    this.say(`raw limit: ${bundles} bundles/s, ${edits} edits/s with ${inFlight} in flight`);
    this.#raw = { ...rate, inFlight, editsPerSecond };
    return this.#raw;
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await this.#world?.testbed.stop();
    await this.#proxied?.world.testbed.stop();
    await this.#proxied?.proxy.stop();
  }

  async #startProxied(): Promise<Proxied> {
    let proxy: FaultingProxy | undefined;
    const world = await this.start({
      async kubeconfig(controlPlane) {
        proxy = await FaultingProxy.start(controlPlane);
        return proxy.kubeconfig;
      },
    });
    if (proxy === undefined) throw new TypeError("the world asked for no kubeconfig");
    return { world, proxy };
  }
}
