// A whole run: a world, faults as they were planned, peace, and the judges' verdicts.
// What is judged is in judge*.ts.
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../eventually.js";
import { Random } from "../model/random.js";
import type { FaultKind } from "./fault.js";
import { type Footprint, footprint } from "./footprint.js";
import { judge } from "./judge.js";
import { isRight } from "./judge.secrets.js";
import { OF_THE_NETWORK } from "./kinds.network.js";
import { OF_OBJECTS } from "./kinds.objects.js";
import { OF_PROCESSES } from "./kinds.processes.js";
import { lineOf, type Planned, plan } from "./plan.js";
import type { Verdict } from "./verdict.js";
import { World } from "./world.js";

/** Every kind of fault there is. */
export const KINDS: readonly FaultKind[] = [...OF_PROCESSES, ...OF_THE_NETWORK, ...OF_OBJECTS];

const PER_SECOND = 6;
const PEACE_MS = 240_000;

/** What is run. */
export interface RunOptions {
  readonly seed: number;
  readonly faults: number;
  /** Told the schedule first, then how it goes. */
  say(line: string): void;
}

/** Runs it; the verdicts, of which each says what was wrong, if anything was. */
export async function runFaults({ seed, faults, say }: RunOptions): Promise<readonly Verdict[]> {
  const planned = plan(KINDS, seed, faults);
  say(
    `seed ${seed}, ${faults} faults; what comes when is the same with each run of this seed, how fast it goes is not`,
  );
  for (const fault of planned) say(lineOf(fault));
  const world = await World.start(seed);
  try {
    const before = await peace(world);
    say(`all is well: ${world.writer.subjects.length} bundles`);
    const wrong = await suffer(world, planned, say);
    say(`no fault is left; ${world.writer.changes} changes were made`);
    const after = await peace(world);
    const changed = { title: "values changed until the last fault was over", wrong, said: "" };
    return [changed, ...(await judge(world, { before, after, faults }))];
  } finally {
    await world.stop();
  }
}

/** Does all that is planned, each at its time, while values change; gives why they stopped changing, if they did. */
export async function suffer(
  world: World,
  planned: readonly Planned<FaultKind>[],
  say: RunOptions["say"],
): Promise<readonly string[]> {
  let isOver = false;
  const wrong: string[] = [];
  const changing = world.writer.run(PER_SECOND, () => isOver).catch((error: unknown) => wrong.push(String(error)));
  const lanes = new Map<string, Promise<void>>();
  const begun = performance.now();
  const since = (): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`.padStart(9);
  const one = async ({ kind, atMs, forMs, dice }: Planned<FaultKind>): Promise<void> => {
    await sleep(Math.max(0, begun + atMs - performance.now()));
    // what took longer to come back than was planned holds up the next one of its lane
    const before = lanes.get(kind.lane);
    const done = Promise.withResolvers<void>();
    lanes.set(kind.lane, done.promise);
    await before;
    say(`${since()} ${kind.title}`);
    try {
      const lift = await kind.begin(world, new Random(dice));
      await sleep(forMs);
      await lift();
    } finally {
      done.resolve();
    }
    if (forMs > 0) say(`${since()} over: ${kind.title}`);
    // bodies of what was written would pile up here
    for (const proxy of Object.values(world.storms)) proxy.written.length = 0;
  };
  try {
    await Promise.all(planned.map(one));
  } finally {
    isOver = true;
    await changing;
  }
  return wrong;
}

/** Waits until everything is as it must be when nothing is wrong; what the processes then keep. */
async function peace(world: World): Promise<Footprint> {
  for (const clock of [world.keyringClock, ...world.operators.map(({ clock }) => clock)]) writeFileSync(clock, "0");
  await world.ready();
  // whatever does not come right is the judges' to say
  await eventually(() => isRight(world), { timeoutMs: PEACE_MS }).catch(() => undefined);
  // on a busy machine a leader can be too late for its Lease at any time, and is started again: then look again
  const look = async (): Promise<Footprint> => {
    await world.ready();
    return footprint(world);
  };
  return eventually(look, { timeoutMs: PEACE_MS });
}
