// The benchmark: zopp's figures beside the limit that a bare client reaches on the same API server, in the same run.
// Prints ratios and writes build/bench.json. It judges nothing: limits stand beside the figures.
import { mkdir, writeFile } from "node:fs/promises";
import { VERSION } from "../../crds/version.js";
import { SECRETS } from "../../operator/kube/resources.js";
import { packageRoot } from "../package-root.js";
import { quiet } from "../testbed.look.js";
import { changes } from "./change.js";
import { median, rounded } from "./figures.js";
import { type Flooded, whileFlooded } from "./flooded.js";
import { keyringAlone, type Opening, primitivesAlone } from "./keyring.js";
import { memory } from "./memory.js";
import { bestInFlight, rawLimit } from "./raw.limit.js";
import { type Rekeyed, rekey } from "./rekey.js";
import { type Figures, table } from "./report.js";
import { type Size, sizeFor } from "./sizing.js";
import { firstSync, type Kept, restart, type Synced, statesKept } from "./sync.js";
import { inParallel, layOut, nameOf, type Sealing, startWorld, type World } from "./world.js";

const ROUNDS = 3;
const ALONE_ROUNDS = 7;
const BUNDLES = Number(process.env["BENCH_BUNDLES"] ?? 1000);
const BACKLOG = 5 * BUNDLES;
const EDITS = 200;
const FOREIGN = 20 * BUNDLES;
const SIZES = [BUNDLES / 10, BUNDLES, 5 * BUNDLES, 10 * BUNDLES];

const say = (text: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

async function rounds(world: World) {
  const best = await bestInFlight(world, Math.ceil(BUNDLES / 4), say);
  const raws: number[] = [];
  const synced: Record<Sealing, Synced[]> = { xwing: [], x25519: [] };
  const kept: Kept[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const raw = await rawLimit(world, `xwing-raw-${round}`, { inFlight: best, count: BUNDLES });
    raws.push(raw.bundlesPerSecond);
    for (const sealing of ["xwing", "x25519"] as const) {
      const namespace = `${sealing}-${round}`;
      await layOut(world, sealing, namespace, BUNDLES);
      synced[sealing].push(await firstSync(world, [namespace], BUNDLES));
      kept.push(await statesKept(world, BUNDLES));
      if (round < ROUNDS || sealing === "xwing") await world.testbed.operator.stop();
    }
    const rates = (["xwing", "x25519"] as const).map(
      (sealing) => `${sealing} ${synced[sealing].at(-1)?.bundlesPerSecond.toFixed(0)}/s`,
    );
    say(`round ${round} of ${ROUNDS}: raw ${raws.at(-1)?.toFixed(0)}/s, first sync ${rates.join(", ")}`);
  }
  return { raw: median(raws), synced, kept };
}

async function foreignSecrets({ testbed }: World, namespace: string): Promise<void> {
  await inParallel(FOREIGN, (at) => {
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: `foreign-${nameOf(at)}`, namespace },
      data: { VALUE: Buffer.alloc(512, 7).toString("base64") },
    };
    return testbed.client.create(SECRETS, secret, { metadataOnly: true });
  });
}

/** A keyring that has opened so many bundles and an operator that was started after that, then beside other people's Secrets. */
async function memories(world: World) {
  const namespace = "xwing-memory";
  const measure = async (what: string) => {
    const found = await memory(world, ["--namespaces", namespace]);
    await world.testbed.operator.stop();
    const { operatorMiB, keyringMiB } = found;
    say(`memory ${what}: operator ${operatorMiB.toFixed(0)} MiB, keyring ${keyringMiB.toFixed(0)} MiB`);
    return found;
  };
  await layOut(world, "xwing", namespace, BUNDLES);
  await measure(`right after a first sync of ${BUNDLES} bundles`);
  const small = await measure("after a restart of the operator");
  await foreignSecrets(world, namespace);
  const large = await measure(`with ${FOREIGN} foreign Secrets`);
  return { small, large };
}

async function sizes(): Promise<readonly Size[]> {
  const measured: Size[] = [];
  for (const bundles of SIZES) {
    const size = await sizeFor(bundles);
    measured.push(size);
    const { operator, keyring, seconds } = size;
    say(`${bundles} bundles: ${seconds} s, peak memory ${operator.peakMiB} + ${keyring.peakMiB} MiB`);
  }
  return measured;
}

/** Medians of more rounds: a keyring that was just started does a tenth less, until its code is compiled. */
async function aloneRounds(world: World): Promise<Record<"unseen" | "known", Opening>> {
  const found: Awaited<ReturnType<typeof keyringAlone>>[] = [];
  for (let round = 1; round <= ALONE_ROUNDS; round += 1) found.push(await keyringAlone(world, BUNDLES));
  const medians = (of: "unseen" | "known"): Opening => ({
    entriesPerSecond: median(found.map((each) => each[of].entriesPerSecond)),
    entriesPerCpuSecond: median(found.map((each) => each[of].entriesPerCpuSecond)),
  });
  return { unseen: medians("unseen"), known: medians("known") };
}

async function run(world: World): Promise<Omit<Figures, "sizing" | "rekey">> {
  say(`${BUNDLES} bundles of five values, ${ROUNDS} rounds`);
  const { small, large } = await memories(world);
  const { raw: limit, synced, kept } = await rounds(world);
  const restarted = await restart(world, `x25519-${ROUNDS}`);
  say(
    `restart with nothing changed: ready in ${restarted.readyMs.toFixed(0)} ms, ${restarted.writes} writes, ${restarted.opens} opens`,
  );
  await world.testbed.operator.stop();
  const primitives = primitivesAlone(BUNDLES);
  const alone = await aloneRounds(world);
  say(
    `keyring alone: ${alone.unseen.entriesPerCpuSecond.toFixed(0)} unseen and ${alone.known.entriesPerCpuSecond.toFixed(0)} known entries per CPU second, the primitives by themselves ${primitives.toFixed(0)}`,
  );
  await world.testbed.startOperator(["--namespaces", "xwing-1"]);
  await quiet(world.testbed);
  const idle = await changes(world, "xwing-1", EDITS);
  say(`one changed value, idle: p50 ${idle.p50Ms.toFixed(0)} ms, p99 ${idle.p99Ms.toFixed(0)} ms`);
  const flooded = await whileFlooded(world, () => changes(world, "xwing-1", EDITS));
  say(
    `one changed value while one caller floods the keyring: p99 ${flooded.p99Ms.toFixed(0)} ms; ${flooded.answered} of ${flooded.calls} calls answered`,
  );
  await world.testbed.operator.stop();
  await layOut(world, "xwing", "xwing-backlog", BACKLOG);
  await world.testbed.startOperator(["--namespaces", "xwing-1,xwing-backlog"]);
  const backlog = await changes(world, "xwing-1", EDITS);
  say(
    `one changed value during a backlog of ${BACKLOG}: p50 ${backlog.p50Ms.toFixed(0)} ms, p99 ${backlog.p99Ms.toFixed(0)} ms`,
  );
  await quiet(world.testbed);
  return figuresOf({ limit, synced, kept, restarted, idle, flooded, backlog, small, large, alone, primitives });
}

interface Measured {
  readonly limit: number;
  readonly synced: Readonly<Record<Sealing, readonly Synced[]>>;
  readonly kept: readonly Kept[];
  readonly restarted: Figures["restart"];
  readonly idle: Figures["change"]["idle"];
  readonly flooded: Flooded;
  readonly backlog: Figures["change"]["backlog"];
  readonly small: { readonly operatorMiB: number; readonly keyringMiB: number };
  readonly large: { readonly operatorMiB: number; readonly keyringMiB: number };
  readonly alone: Readonly<Record<"unseen" | "known", Opening>>;
  readonly primitives: number;
}

function figuresOf({
  limit,
  synced,
  kept,
  restarted,
  idle,
  flooded,
  backlog,
  small,
  large,
  alone,
  primitives,
}: Measured): Omit<Figures, "sizing" | "rekey"> {
  const of = (sealing: Sealing) => {
    const pick = (read: (figure: Synced) => number): number => median(synced[sealing].map(read));
    const rate = pick(({ bundlesPerSecond }) => bundlesPerSecond);
    const [operator, keyring] = [pick(({ operatorMs }) => operatorMs), pick(({ keyringMs }) => keyringMs)];
    return {
      ratioToRaw: rounded(rate / limit, 3),
      bundlesPerSecond: rounded(rate, 1),
      cpuMsPerBundle: rounded(operator + keyring),
      operatorMsPerBundle: rounded(operator),
      keyringMsPerBundle: rounded(keyring),
    };
  };
  return {
    raw: { bundlesPerSecond: rounded(limit, 1) },
    firstSync: { x25519: of("x25519"), xwing: of("xwing") },
    kept: {
      statesPerSecond: rounded(median(kept.map(({ statesPerSecond }) => statesPerSecond)), 1),
      operatorMs: rounded(median(kept.map(({ operatorMs }) => operatorMs))),
    },
    restart: { ...restarted, readyMs: rounded(restarted.readyMs, 0) },
    change: { idle, flooded, backlog },
    memory: {
      operatorMiB: rounded(small.operatorMiB, 1),
      keyringMiB: rounded(small.keyringMiB, 1),
      withForeignMiB: rounded(large.operatorMiB + large.keyringMiB, 1),
    },
    keyring: {
      entriesPerSecond: rounded(alone.unseen.entriesPerSecond, 0),
      entriesPerCpuSecond: rounded(alone.unseen.entriesPerCpuSecond, 0),
      knownEntriesPerSecond: rounded(alone.known.entriesPerSecond, 0),
      knownEntriesPerCpuSecond: rounded(alone.known.entriesPerCpuSecond, 0),
      primitivesPerCpuSecond: rounded(primitives, 0),
    },
    date: new Date().toISOString(),
    versions: { zopp: VERSION, node: process.versions.node, kubernetes: "1.37.2" },
    bundles: BUNDLES,
  };
}

async function main(): Promise<Omit<Figures, "sizing" | "rekey">> {
  const world = await startWorld();
  say(world.cores);
  try {
    return await run(world);
  } finally {
    await world.testbed.stop();
  }
}

async function rekeyed(): Promise<Rekeyed> {
  const found = await rekey(BUNDLES);
  say(`rekey of ${BUNDLES} bundles: ${found.msPerBundle.toFixed(1)} ms a bundle; differs: ${found.changed.join(", ")}`);
  return { ...found, msPerBundle: rounded(found.msPerBundle) };
}

const figures: Figures = { ...(await main()), rekey: await rekeyed(), sizing: await sizes() };
await mkdir(`${packageRoot()}/build`, { recursive: true });
await writeFile(`${packageRoot()}/build/bench.json`, `${JSON.stringify(figures, null, 2)}\n`);
console.log(table(figures));
