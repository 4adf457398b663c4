// Bundles of one namespace whose values are known here, so that every Secret can be told right from wrong.
// Changing them is told apart from sealing the change: cryptography of ours must not count as zopp's time.
import type { AcceptedEnvironment } from "../../../crds/policy/environment.js";
import type { ZoppSecret } from "../../../crds/types.gen.js";
import { SECRETS, ZOPP_SECRETS } from "../../../operator/kube/resources.js";
import { eventually } from "../../eventually.js";
import { withValue, writingBy } from "../../fixtures.js";
import type { FoundSecret, Testbed } from "../../testbed.js";
import { everyObject, quiet, readMetrics } from "../../testbed.look.js";
import { inParallel, type LayOutOptions, layOutOf, valuesOf } from "../world.js";

const FIELD_MANAGER = "load";
const PATIENCE_MS = 600_000;
/** As many wrong Secrets as are named one by one. */
const NAMED = 5;

/** Where a stock lies, and how large it is. */
export interface StockOptions extends Pick<LayOutOptions, "values"> {
  readonly namespace: string;
  readonly count: number;
}

/** Bundles, and what their Secrets must hold. */
export class Stock {
  readonly namespace: string;
  readonly #testbed: Testbed;
  readonly #environment: AcceptedEnvironment;
  readonly #bundles = new Map<string, ZoppSecret>();
  readonly #values = new Map<string, Readonly<Record<string, string>>>();

  private constructor(testbed: Testbed, environment: AcceptedEnvironment, namespace: string) {
    this.#testbed = testbed;
    this.#environment = environment;
    this.namespace = namespace;
  }

  /** Makes a namespace with so many bundles of this environment; nothing else looks at them yet. */
  static async layOut(testbed: Testbed, environment: AcceptedEnvironment, options: StockOptions): Promise<Stock> {
    const { namespace, values = valuesOf } = options;
    const stock = new Stock(testbed, environment, namespace);
    await layOutOf(testbed, environment, {
      ...options,
      made: (bundle) => {
        stock.#bundles.set(bundle.metadata.name, bundle);
        stock.#values.set(bundle.metadata.name, values(bundle.metadata.name));
      },
    });
    return stock;
  }

  /** The bundles as they were written last. */
  get bundles(): readonly ZoppSecret[] {
    return [...this.#bundles.values()];
  }

  /** Changes one value of so many bundles (of all), sealed and signed; nothing is applied yet. */
  change(mark: string, count = this.#bundles.size): readonly ZoppSecret[] {
    const writing = writingBy("alice", this.#environment, new Date());
    return this.bundles.slice(0, count).map((bundle) => {
      const { name } = bundle.metadata;
      const changed = withValue(bundle, "KEY_0", `${mark} ${name}`, writing);
      this.#bundles.set(name, changed);
      this.#values.set(name, { ...this.#values.get(name), KEY_0: `${mark} ${name}` });
      return changed;
    });
  }

  /** Applies them, so many in flight. */
  apply(bundles: readonly ZoppSecret[], inFlight: number): Promise<void> {
    return applyAll(this.#testbed, bundles, inFlight);
  }

  /** Which Secrets do not hold exactly what they must; those that should not be there as well. */
  async wrong(): Promise<readonly string[]> {
    const [found, wrong] = [new Set<string>(), [] as string[]];
    const options = { namespace: this.namespace };
    for await (const { metadata, data } of everyObject<FoundSecret>(this.#testbed.client, SECRETS, options)) {
      const wanted = this.#values.get(metadata.name);
      found.add(metadata.name);
      if (wanted === undefined) wrong.push(`the Secret ${this.namespace}/${metadata.name} should not be there`);
      else if (!holds(data, wanted)) wrong.push(`the Secret ${this.namespace}/${metadata.name} holds other values`);
    }
    for (const name of this.#values.keys()) {
      if (!found.has(name)) wrong.push(`the Secret ${this.namespace}/${name} is not there`);
    }
    return wrong.length <= NAMED ? wrong : [...wrong.slice(0, NAMED), `and ${wrong.length - NAMED} more`];
  }
}

/** Applies bundles as somebody who changes them does. */
export function applyAll({ client }: Testbed, bundles: readonly ZoppSecret[], inFlight: number): Promise<void> {
  const options = { fieldManager: FIELD_MANAGER, force: true, metadataOnly: true };
  return inParallel(bundles.length, (at) => client.apply(ZOPP_SECRETS, bundles[at] as ZoppSecret, options), inFlight);
}

/** How many bundles a second can be changed while nobody follows them. */
export async function rawEdits(
  testbed: Testbed,
  environment: AcceptedEnvironment,
  { count, inFlight }: { readonly count: number; readonly inFlight: number },
): Promise<number> {
  const stock = await Stock.layOut(testbed, environment, { namespace: "xwing-raw-edits", count });
  const changed = stock.change("raw");
  const begun = performance.now();
  await stock.apply(changed, inFlight);
  return count / ((performance.now() - begun) / 1000);
}

function holds(data: FoundSecret["data"] = {}, wanted: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(wanted);
  const isSame = (key: string) => data[key] === Buffer.from(wanted[key] ?? "").toString("base64");
  return keys.length === Object.keys(data).length && keys.every(isSame);
}

/** How many changes have reached their Secrets, as the operator counts them. */
export async function applied({ ports }: Testbed): Promise<number> {
  return (await readMetrics(ports.metrics)).sum("zopp_apply_latency_seconds_count");
}

/** Does something, waits until it is there and the operator has nothing left to do; gives the seconds. */
export async function seconds(
  testbed: Testbed,
  act: () => Promise<unknown>,
  isThere: () => Promise<boolean>,
): Promise<number> {
  const begun = Date.now();
  await act();
  await eventually(
    async () => {
      testbed.operator.refuseDead();
      return await isThere();
    },
    { timeoutMs: PATIENCE_MS, message: "the operator has done it" },
  );
  return ((await quiet(testbed, "zoppsecret")) - begun) / 1000;
}
