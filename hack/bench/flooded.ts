// The operator's work while one caller floods the keyring.
// The flood itself is flood.ts, a program of its own.
import { fileURLToPath } from "node:url";
import { Child } from "../child.js";
import type { Latency } from "./change.js";
import type { World } from "./world.js";

/** How the operator fared, and what became of the flood. */
export interface Flooded extends Latency {
  readonly calls: number;
  readonly answered: number;
  readonly connections: number;
}

/** Measures while a device of the policy opens two hundred connections a second and makes two thousand calls. */
export async function whileFlooded({ testbed }: World, measure: () => Promise<Latency>): Promise<Flooded> {
  const flood = new Child({
    name: "flood",
    main: fileURLToPath(new URL("./flood.js", import.meta.url)),
    args: [`127.0.0.1:${testbed.ports.keyring}`, "bob"],
  });
  try {
    const latency = await measure();
    flood.refuseDead();
    await flood.stop();
    const { calls, answered, connections } = JSON.parse(flood.lines.at(-1) ?? "{}");
    return { ...latency, calls, answered, connections };
  } finally {
    await flood.stop();
  }
}
