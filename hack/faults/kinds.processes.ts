// Faults of whole processes: killed, asked to end, hung, with a wrong clock, a full disk, a token that is not good any more.
import { writeFileSync } from "node:fs";
import { orAbsent } from "../../operator/kube/errors.js";
import type { KeptAlive } from "../kept-alive.js";
import { setDiskFull } from "./etcd.js";
import { expired } from "./expired-token.js";
import { type FaultKind, insist, type Lift, moment } from "./fault.js";
import { RESOURCE_QUOTAS } from "./resources.js";
import type { World } from "./world.js";

const HOUR_MS = 3_600_000;
/** A minute and a half, two hours, and more than the day by which a version may be ahead. */
const JUMPS_MS = [90_000, 2 * HOUR_MS, 26 * HOUR_MS] as const;

function hung(kept: KeptAlive): Lift {
  const { pid } = kept.child;
  process.kill(pid, "SIGSTOP");
  return () => {
    // it may have been killed meanwhile
    if (kept.child.pid === pid && kept.child.running) process.kill(pid, "SIGCONT");
  };
}

/** Whoever leads at that moment, or else one that chance chooses. */
async function leading(world: World, at: number): Promise<KeptAlive> {
  const leader = await world.leader();
  const { kept } = leader ?? world.operators[at] ?? {};
  if (kept === undefined) throw new TypeError("there is no operator");
  return kept;
}

const signalled =
  (signal: NodeJS.Signals): FaultKind["begin"] =>
  async (world, random) => {
    (await leading(world, random.below(2))).signal(signal);
    return moment;
  };

export const OF_PROCESSES: readonly FaultKind[] = [
  {
    title: "the API server is killed and comes back",
    weight: 5,
    lane: "API server",
    lastsMs: [200, 6_000],
    async begin({ bed: { controlPlane } }) {
      await controlPlane.stopApiServer();
      return () =>
        insist(() => {
          // a start that fails (etcd may be away too) leaves one that runs or ended
          return controlPlane.restartApiServer();
        });
    },
  },
  {
    title: "etcd is killed and comes back",
    weight: 5,
    lane: "etcd",
    lastsMs: [200, 6_000],
    async begin({ bed: { controlPlane } }) {
      await controlPlane.stopEtcd();
      return () => insist(() => controlPlane.startEtcd());
    },
  },
  {
    title: "etcd's disk is full",
    weight: 3,
    lane: "etcd",
    lastsMs: [1_000, 8_000],
    async begin({ bed: { controlPlane } }) {
      await setDiskFull(controlPlane.etcdUrl, true);
      return () => insist(() => setDiskFull(controlPlane.etcdUrl, false));
    },
  },
  {
    title: "there is no room for audit segments (a ResourceQuota)",
    weight: 3,
    lane: "quota",
    lastsMs: [1_000, 8_000],
    async begin({ bed }) {
      const metadata = { name: "no-room", namespace: "zopp-system" };
      const quota = { metadata, spec: { hard: { "count/zoppauditsegments.zopp.dev": "0" } } };
      await insist(() => bed.apply(RESOURCE_QUOTAS, quota));
      return () => insist(() => orAbsent(bed.client.delete(RESOURCE_QUOTAS, metadata)));
    },
  },
  {
    title: "the keyring hangs",
    weight: 4,
    lane: "keyring",
    lastsMs: [500, 14_000],
    begin: ({ keyring }) => hung(keyring),
  },
  {
    title: "the keyring is killed",
    weight: 4,
    lane: "keyring",
    lastsMs: [0, 0],
    begin({ keyring }) {
      keyring.signal("SIGKILL");
      return moment;
    },
  },
  {
    title: "the keyring is asked to end",
    weight: 2,
    lane: "keyring",
    lastsMs: [0, 0],
    begin({ keyring }) {
      keyring.signal("SIGTERM");
      return moment;
    },
  },
  {
    title: "the leader is killed",
    weight: 4,
    lane: "operators",
    lastsMs: [0, 0],
    begin: signalled("SIGKILL"),
  },
  {
    title: "the leader is asked to end",
    weight: 2,
    lane: "operators",
    lastsMs: [0, 0],
    begin: signalled("SIGTERM"),
  },
  {
    title: "the leader sleeps, shorter than its Lease",
    weight: 3,
    lane: "operators",
    lastsMs: [500, 8_000],
    begin: async (world, random) => hung(await leading(world, random.below(2))),
  },
  {
    title: "the leader sleeps beyond its Lease, and wakes up beside another",
    weight: 3,
    lane: "operators",
    lastsMs: [17_000, 22_000],
    begin: async (world, random) => hung(await leading(world, random.below(2))),
  },
  {
    title: "the keyring's clock jumps",
    weight: 4,
    lane: "keyring's clock",
    lastsMs: [1_000, 15_000],
    begin: ({ keyringClock }, random) => jump(keyringClock, random.pick(JUMPS_MS) * random.pick([1, -1])),
  },
  {
    title: "the clock of an operator jumps",
    weight: 3,
    lane: "operators' clocks",
    lastsMs: [1_000, 15_000],
    begin: ({ operators }, random) => jump(random.pick(operators).clock, random.pick(JUMPS_MS) * random.pick([1, -1])),
  },
  {
    title: "tokens have expired, and the keyring knows nobody any more",
    weight: 3,
    lane: "keyring",
    lastsMs: [2_000, 10_000],
    begin({ bed, operators, keyring }) {
      for (const { token } of operators) writeFileSync(token, expired(bed.controlPlane, token));
      keyring.signal("SIGKILL");
      return async () => {
        for (const { renewToken } of operators) await renewToken();
      };
    },
  },
];

function jump(clock: string, byMs: number): Lift {
  writeFileSync(clock, String(byMs));
  return () => writeFileSync(clock, "0");
}
