// Whether the processes are well: ready, idle, and no larger than they were.
import { eventually } from "../eventually.js";
import { ask, readMetrics } from "../testbed.look.js";
import type { Footprint } from "./footprint.js";
import type { Found } from "./judge.secrets.js";
import type { World } from "./world.js";

/** Of what a process kept at the beginning it may keep so many times as much; code gets compiled, caches get filled. */
const MOST_GROWTH = { heapMiB: 1.6, residentMiB: 1.6, handles: 1.6 } as const;
const IDLE_MS = 60_000;
const GAUGES = ["workqueue_depth", "controller_runtime_active_workers", "zopp_oldest_pending_seconds"] as const;

/** Probes of all three processes, and the queues of the operators: what still speaks against peace when it should have come. */
export async function stuck({ bed, operators }: World): Promise<Found> {
  const health = [bed.ports.keyringHealth, ...operators.map(({ ports }) => ports.health)];
  const asked = [
    ...health.flatMap((port) => ["/healthz", "/readyz"].map((path) => () => probe(port, path))),
    ...operators.flatMap(({ kept, ports }) => GAUGES.map((gauge) => () => idle(kept.name, ports.metrics, gauge))),
  ];
  const wrong: string[] = [];
  for (const ask of asked) {
    const isWell = async () => (await ask()) === "";
    await eventually(isWell, { timeoutMs: IDLE_MS }).catch(async () => wrong.push(await ask().catch(String)));
  }
  return { wrong, said: `${health.length} processes` };
}

async function probe(port: number, path: string): Promise<string> {
  const answer = await ask(port, path);
  return answer.ok ? "" : `${path} at ${port}: ${await answer.text()}`;
}

async function idle(name: string, port: number, gauge: string): Promise<string> {
  const found = (await readMetrics(port)).sum(gauge);
  return found === 0 ? "" : `${name}: ${gauge} ${found}`;
}

/** What each process keeps now, against what it kept, or the one before it, which was killed: a longer history may not cost much. */
export function grown(before: Footprint, after: Footprint): Found {
  const wrong: string[] = [];
  const said: string[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [then, now] = [before.get(name), after.get(name)];
    if (then === undefined || now === undefined) {
      wrong.push(`${name} was not looked at ${then === undefined ? "before" : "afterwards"}`);
      continue;
    }
    const of = (what: keyof typeof MOST_GROWTH): string => {
      const ratio = now[what] / then[what];
      if (ratio > MOST_GROWTH[what])
        wrong.push(`${name}: ${what} ${now[what].toFixed(0)}, ${ratio.toFixed(2)} times ${then[what].toFixed(0)}`);
      return `${what} ${then[what].toFixed(0)} → ${now[what].toFixed(0)}`;
    };
    said.push(`${name} ${[of("heapMiB"), of("residentMiB"), of("handles")].join(", ")}`);
  }
  return { wrong, said: said.join("; ") };
}
