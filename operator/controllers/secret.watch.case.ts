// A BundleWatch with informers that a test moves by hand, and objects for them to show.
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { ChangeHandler } from "../kube/informer.js";
import type { Lane } from "../kube/queue.js";
import { type KubeObject, keyOf } from "../kube/resources.js";
import { Freshest } from "./freshest.js";
import { withOurStatus } from "./secret.js";
import { BundleMemory } from "./secret.memory.js";
import { BundleWatch } from "./secret.watch.js";
import type { SeenSecret } from "./target.seen.js";

/** When the tests begin. */
export const WALL = new Date("2026-11-23T10:11:12Z");

/** An informer that the test moves by hand. */
function scripted<T extends KubeObject>() {
  const store = new Map<string, T>();
  const handlers: ChangeHandler<T>[] = [];
  return {
    get: (key: string) => store.get(key),
    list: () => store.values(),
    onChange(handler: ChangeHandler<T>) {
      handlers.push(handler);
      return () => {};
    },
    show(object: T, initial = false) {
      const old = store.get(keyOf(object));
      store.set(keyOf(object), object);
      for (const handler of handlers) handler(old, object, initial);
    },
    remove(key: string) {
      const old = store.get(key);
      store.delete(key);
      for (const handler of handlers) handler(old, undefined, false);
    },
  };
}

/** A watch, what it watches, and what it asked for. */
export function setup({ leads = true } = {}) {
  const bundles = scripted<ZoppSecret>();
  const targets = scripted<SeenSecret>();
  const clock = { ms: 0 };
  const now = () => clock.ms;
  const added: string[] = [];
  const failures = new Map<string, number>();
  const active = new Map<string, Lane>();
  const queue = {
    add: (key: string, lane?: string) => void added.push(`${key} ${lane}`),
    failuresOf: (key: string) => failures.get(key) ?? 0,
    laneOf: (key: string) => active.get(key),
  };
  const memory = new BundleMemory(now, () => 0.5);
  const freshBundles = new Freshest<ZoppSecret>(bundles, now, withOurStatus);
  const freshTargets = new Freshest<SeenSecret>(targets, now);
  const all = () => bundles.list();
  const replaced: ZoppSecret[] = [];
  const watch = new BundleWatch({
    bundles: freshBundles,
    targets: freshTargets,
    all,
    queue,
    memory,
    replaced: (old) => void replaced.push(old),
  });
  if (leads) watch.lead();
  const take = () => added.splice(0);
  return { bundles, targets, freshBundles, freshTargets, watch, memory, clock, failures, active, replaced, take };
}

/** What is said of a bundle. */
export interface Shape {
  readonly name?: string;
  readonly version?: string;
  readonly generation?: number;
  readonly target?: string;
  readonly ready?: "True" | "False";
  readonly environment?: string;
  readonly asked?: string;
  /** The generation that its status is about. */
  readonly observed?: number;
}

/** A bundle as an informer shows it. */
export function bundle({
  name = "api",
  version = "1",
  generation = 1,
  target,
  ready,
  environment = "a/b/c",
  asked,
  observed,
}: Shape = {}): ZoppSecret {
  const condition = { type: "Ready", status: ready, reason: "x", message: "", lastTransitionTime: "" };
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: {
      name,
      namespace: "shop",
      uid: `uid-${name}`,
      resourceVersion: version,
      generation,
      ...(asked === undefined ? {} : { annotations: { "zopp.dev/reconcile": asked } }),
    },
    spec: {
      environment,
      header: { version: 1, by: "", signature: "" },
      ...(target === undefined ? {} : { target: { name: target } }),
    },
    ...(ready === undefined ? {} : { status: { conditions: [condition] } }),
    ...(observed === undefined ? {} : { status: { observedGeneration: observed } }),
  } as ZoppSecret;
}

/** A Secret as an informer shows it. */
export function secret(name: string, version: string): SeenSecret {
  return {
    metadata: { namespace: "shop", name, uid: "s", resourceVersion: version },
    writers: { ours: [], others: [], managers: [] },
  };
}
