// The load suite: which scenarios there are, and how they are run one after the other.
// Nothing fails by being slow; a Secret that is wrong, a change that is lost, or work that was not needed does.
import { burst } from "./burst.js";
import { churn } from "./churn.js";
import { deletion } from "./deletion.js";
import { epoch } from "./epoch.js";
import { fanout } from "./fanout.js";
import { growth } from "./growth.js";
import { handover } from "./handover.js";
import { large } from "./large.js";
import { namespaces } from "./namespaces.js";
import { noop } from "./noop.js";
import { pressure } from "./pressure.js";
import { relist } from "./relist.js";
import { type Measured, type Row, wrongIn } from "./rows.js";
import { Stage, type StageOptions } from "./stage.js";
import { sync } from "./sync.js";
import { urgent } from "./urgent.js";

/** The scenarios by the names that LOAD takes. */
const SCENARIOS: Readonly<Record<string, (stage: Stage) => Promise<Measured>>> = {
  sync,
  restart: growth,
  burst,
  "fan-out": fanout,
  namespaces,
  churn,
  "no-op": noop,
  large,
  urgent,
  pressure,
  relist,
  deletion,
  epoch,
  handover,
};

/** What became of the scenarios that were run. */
export interface Suite {
  readonly rows: readonly Row[];
  /** What was wrong whatever the machine's speed, each with its scenario's name. */
  readonly wrong: readonly string[];
}

/** The names of the scenarios that a text names, all of them if it names none. Throws for a name that there is not. */
export function chosen(text: string): readonly string[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== "");
  const unknown = names.filter((name) => !Object.hasOwn(SCENARIOS, name));
  if (unknown.length > 0) {
    throw new Error(`there is no scenario ${unknown.join(", ")}; choose of ${Object.keys(SCENARIOS).join(" ")}`);
  }
  return names.length === 0 ? Object.keys(SCENARIOS) : names;
}

/** Runs scenarios. One that breaks off is wrong, and the others are run all the same. */
export async function runSuite(names: readonly string[], options: StageOptions): Promise<Suite> {
  const { say } = options;
  const stage = new Stage(options);
  const [rows, wrong] = [[] as Row[], [] as string[]];
  try {
    for (const [at, name] of names.entries()) {
      say(`load ${at + 1} of ${names.length}: ${name}`);
      const begun = performance.now();
      const measured = await attempt(stage, name);
      rows.push(...measured.rows);
      wrong.push(...[...measured.wrong, ...measured.rows.flatMap(wrongIn)].map((what) => `${name}: ${what}`));
      say(`load ${at + 1} of ${names.length}: ${name} took ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    }
  } finally {
    await stage.stop();
  }
  return { rows, wrong };
}

async function attempt(stage: Stage, name: string): Promise<Measured> {
  try {
    return (await SCENARIOS[name]?.(stage)) ?? { rows: [], wrong: [] };
  } catch (error) {
    return { rows: [], wrong: [error instanceof Error ? error.message : String(error)] };
  }
}
