// What a kind of fault is: drawn by plan.ts, done to a world, and lifted again.
import { eventually } from "../eventually.js";
import type { Random } from "../model/random.js";
import type { Kind } from "./plan.js";
import type { World } from "./world.js";

/** Ends a fault. It is called once, and must leave nothing of it. */
export type Lift = () => void | Promise<void>;

/** One kind of fault. */
export interface FaultKind extends Kind {
  /** Begins it, making choices of its own by chance; gives what ends it. */
  begin(world: World, random: Random): Lift | Promise<Lift>;
}

const PATIENCE_MS = 120_000;

/** Lifts what can only be lifted once something else has been. */
export async function insist(act: () => Promise<unknown>): Promise<void> {
  const done = () => act().then(() => true);
  await eventually(done, { timeoutMs: PATIENCE_MS, message: "a fault is lifted" });
}

/** A moment: nothing to lift. */
export const moment: Lift = () => undefined;
