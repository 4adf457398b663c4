// Whether the processes are well: ready, idle, and no larger than they were.
import { eventually } from "../eventually.js";
import { readMetrics, readText } from "../testbed.look.js";
import type { Footprint } from "./footprint.js";
import type { Found } from "./judge.secrets.js";
import type { World } from "./world.js";

/** Of what a process kept at the beginning it may keep so many times as much; code gets compiled, caches get filled. */
const MOST_GROWTH = { heapMiB: 1.6, residentMiB: 1.6, handles: 1.6 } as const;
const IDLE_MS = 60_000;
const GAUGES = ["workqueue_depth", "controller_runtime_active_workers", "zopp_oldest_pending_seconds"] as const;

/** Probes of all three processes, and the queues of the operators. */
export async function stuck({ bed, operators }: World): Promise<Found> {
  const wrong: string[] = [];
  const ports = [bed.ports.keyringHealth, ...operators.map(({ ports }) => ports.health)];
  for (const port of ports) {
    for (const path of ["/healthz", "/readyz"]) {
      const says = await readText(port, path).catch(String);
      const { ok } = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => ({ ok: false }));
      if (!ok) wrong.push(`${path} at ${port}: ${says}`);
    }
  }
  for (const { kept, ports } of operators) {
    const busy = async () => {
      const numbers = await readMetrics(ports.metrics);
      return GAUGES.map((gauge) => `${gauge} ${numbers.sum(gauge)}`).filter((each) => !each.endsWith(" 0"));
    };
    await eventually(async () => (await busy()).length === 0, { timeoutMs: IDLE_MS }).catch(async () => {
      wrong.push(`${kept.name}: ${(await busy()).join(", ")}`);
    });
  }
  return { wrong, said: `${ports.length} processes` };
}

/** What each process keeps now, against what it kept. */
export function grown(before: Footprint, after: Footprint): Found {
  const wrong: string[] = [];
  const said: string[] = [];
  for (const [name, now] of after) {
    const then = before.get(name) ?? now;
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
