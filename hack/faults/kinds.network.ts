// Faults on the way: wires that are slow, cut, changed, half closed or silent, an API server that answers with errors, and one
// whose certificate has expired.
// Between API server and etcd no bit is changed: that wire is neither encrypted nor checked here, so it would be etcd's data
// that changes, which is not what is tested.
import type { Asked, Choose, Fault } from "../faulting-proxy.js";
import type { Random } from "../model/random.js";
import type { FaultKind } from "./fault.js";
import type { Spoil } from "./tcp-proxy.js";
import type { Storms, Wire } from "./world.js";

type Draw = (random: Random) => Spoil;

const SPOILT: Readonly<Record<string, { readonly draw: Draw; readonly lastsMs: readonly [number, number] }>> = {
  "is slow": { draw: (random) => ({ kind: "delay", ms: 20 + random.below(400) }), lastsMs: [1_000, 10_000] },
  "is cut, again and again": {
    draw: (random) => ({ kind: "cut", everyMs: 100 + random.below(900) }),
    lastsMs: [200, 5_000],
  },
  "changes bits": { draw: (random) => ({ kind: "corrupt", every: 3 + random.below(20) }), lastsMs: [1_000, 6_000] },
  "is half closed": { draw: () => ({ kind: "half-close" }), lastsMs: [500, 6_000] },
  "is silent": { draw: () => ({ kind: "silence" }), lastsMs: [500, 9_000] },
};
const ENCRYPTED: readonly Wire[] = ["operators to API server", "keyring to API server", "operators to keyring"];
const PLAIN: Wire = "API server to etcd";

function wires(): FaultKind[] {
  return Object.entries(SPOILT).flatMap(([what, { draw, lastsMs }]) =>
    [...ENCRYPTED, ...(what === "changes bits" ? [] : [PLAIN])].map((wire) => ({
      title: `the wire from ${wire} ${what}`,
      weight: wire === PLAIN ? 1 : 2,
      lane: wire,
      lastsMs,
      begin({ wires }, random) {
        const proxy = wires.get(wire);
        if (proxy === undefined) throw new TypeError(`there is no wire from ${wire}`);
        proxy.spoil(draw(random));
        return () => proxy.lift();
      },
    })),
  );
}

const isWatch = ({ query }: Asked): boolean => query.get("watch") === "true";
const isWrite = ({ method }: Asked): boolean => method !== "GET";
const refused = (status: number, reason: string, retryAfter?: number): Fault => ({
  kind: "refuse",
  status,
  reason,
  ...(retryAfter === undefined ? {} : { retryAfter }),
});

/** What is asked, how often it fails, and how. */
interface Storm {
  readonly spoils: (asked: Asked) => boolean;
  readonly percent: number;
  readonly fault: Fault;
  /** The only one who asks such things. */
  readonly only?: keyof Storms;
}

const STORMS: Readonly<Record<string, Storm>> = {
  "answers 409 to every write": { spoils: isWrite, percent: 100, fault: refused(409, "Conflict") },
  "says of audit segments that others are there": {
    spoils: ({ method, path }) => method === "POST" && path.endsWith("/zoppauditsegments"),
    percent: 60,
    fault: refused(409, "AlreadyExists"),
    only: "keyring",
  },
  "answers 410 to lists and watches": {
    spoils: ({ method }) => method === "GET",
    percent: 70,
    fault: refused(410, "Expired"),
  },
  "ends watches with 410": {
    spoils: isWatch,
    percent: 100,
    fault: { kind: "error event", status: 410, reason: "Expired" },
  },
  "answers 429 and asks to wait": { spoils: () => true, percent: 70, fault: refused(429, "TooManyRequests", 1) },
  "answers 500": { spoils: () => true, percent: 60, fault: refused(500, "InternalError") },
  "takes no credential any more (401)": { spoils: () => true, percent: 100, fault: refused(401, "Unauthorized") },
  "breaks answers in the middle": { spoils: () => true, percent: 30, fault: { kind: "cut" } },
  "does what it is asked and loses the answers": { spoils: isWrite, percent: 50, fault: { kind: "lose" } },
  "never answers": { spoils: () => true, percent: 30, fault: { kind: "hang" } },
};

function storms(): FaultKind[] {
  return Object.entries(STORMS).flatMap(([what, storm]) =>
    (storm.only === undefined ? (["operators", "keyring"] as const) : [storm.only]).map((who) => ({
      title: `the API server, asked by ${who}, ${what}`,
      weight: 2,
      lane: `storm over ${who}`,
      lastsMs: [1_000, 8_000],
      begin(world, random) {
        const proxy = world.storms[who];
        proxy.fault(chooseFrom(storm, random));
        proxy.breakWatches();
        return () => proxy.lift();
      },
    })),
  );
}

function chooseFrom({ spoils, percent, fault }: Storm, random: Random): Choose {
  return (asked) => (spoils(asked) && random.percent(percent) ? fault : undefined);
}

/** As when nobody has renewed it: it is trusted in all but its time, and whoever sees it may say nothing. */
function certificates(): FaultKind[] {
  return (["operators", "keyring"] as const).map((who) => ({
    title: `the API server, asked by ${who}, shows a certificate that has expired`,
    weight: 3,
    lane: `certificate shown to ${who}`,
    lastsMs: [1_000, 12_000],
    begin({ storms }) {
      storms[who].expireCertificate();
      return () => storms[who].renewCertificate();
    },
  }));
}

export const OF_THE_NETWORK: readonly FaultKind[] = [...wires(), ...storms(), ...certificates()];
