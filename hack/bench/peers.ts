// zopp beside sealed-secrets: the same work, on the same machine, one after the other, each on an API server of its own.
// Prints a table and writes build/bench-peers.json; without the other's programs it says which are lacking, and does nothing.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VERSION } from "../../crds/version.js";
import { table } from "../docs/table.js";
import { packageRoot } from "../package-root.js";
import { runProgram } from "../run-program.js";
import { quiet } from "../testbed.look.js";
import { changes, type Latency } from "./change.js";
import { rounded } from "./figures.js";
import { programsOf } from "./peers.programs.js";
import { type PeerRestart, type PeerSync, type SealedPrograms, SealedWorld } from "./peers.sealed.js";
import { cpuMs, peakMiB, residentMiB } from "./process.js";
import { firstSync, restart } from "./sync.js";
import { layOut, startWorld } from "./world.js";

const BUNDLES = Number(process.env["BENCH_BUNDLES"] ?? 1000);
/** With its rate limiter it does about two bundles a second: so many take minutes, and more say nothing new. */
const LIMITED = Math.min(BUNDLES, 200);
const EDITS = Math.min(200, BUNDLES);
const LIMITED_EDITS = Math.min(20, EDITS);
const NAMESPACE = "xwing-peers";
const NO_LIMIT = "--kubeclient-qps=-1";

/** One column of the table. */
interface Column {
  readonly title: string;
  readonly sync: PeerSync;
  readonly restart: PeerRestart;
  readonly change: Latency;
}

const say = (text: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

async function zopp(): Promise<Column> {
  const world = await startWorld();
  const { testbed } = world;
  say(world.cores);
  try {
    await layOut(world, "xwing", NAMESPACE, BUNDLES);
    const synced = await firstSync(world, [NAMESPACE], BUNDLES);
    const pids = [testbed.operator.pid, testbed.keyring.pid];
    const sum = async (read: (pid: number) => Promise<number>) =>
      (await Promise.all(pids.map(read))).reduce((total, each) => total + each, 0);
    const sync = {
      bundles: BUNDLES,
      bundlesPerSecond: synced.bundlesPerSecond,
      cpuMsPerBundle: synced.operatorMs + synced.keyringMs,
      peakMiB: await sum(peakMiB),
      residentMiB: await sum(residentMiB),
    };
    const keyringBefore = await cpuMs(testbed.keyring.pid);
    const { writes, opens } = await restart(world, NAMESPACE);
    const cpu = (await cpuMs(testbed.operator.pid)) + (await cpuMs(testbed.keyring.pid)) - keyringBefore;
    await quiet(testbed);
    const change = await changes(world, NAMESPACE, EDITS);
    return { title: "zopp", sync, restart: { writes, opens, cpuMs: cpu }, change };
  } finally {
    await testbed.stop();
  }
}

async function sealed(
  programs: SealedPrograms,
  title: string,
  bundles: number,
  edits: number,
  flags: readonly string[],
): Promise<Column> {
  const world = await SealedWorld.start(programs);
  try {
    await world.layOut(NAMESPACE, bundles);
    const sync = await world.firstSync(NAMESPACE, bundles, flags);
    const change = await world.changes(NAMESPACE, edits);
    const restarted = await world.restart(NAMESPACE, flags);
    return { title, sync, restart: restarted, change };
  } finally {
    await world.stop();
  }
}

function shown(columns: readonly Column[]): string {
  const row = (what: string, of: (column: Column) => string) => [what, ...columns.map(of)];
  return table(
    ["what", ...columns.map(({ title }) => title)],
    [
      row("first sync", ({ sync }) => `${rounded(sync.bundlesPerSecond, 1)} bundles/s (${sync.bundles})`),
      row("CPU of the first sync", ({ sync }) => `${rounded(sync.cpuMsPerBundle)} ms a bundle`),
      row("memory after it (peak)", ({ sync }) => `${rounded(sync.residentMiB, 0)} (${rounded(sync.peakMiB, 0)}) MiB`),
      row(
        "restart, nothing changed",
        ({ restart: { writes, opens, cpuMs: cpu } }) =>
          `${writes} writes, ${opens} opens, ${rounded(cpu, 0)} ms of CPU`,
      ),
      row("changed value", ({ change }) => `p50 ${rounded(change.p50Ms, 0)} ms, p99 ${rounded(change.p99Ms, 0)} ms`),
    ],
  );
}

async function main(programs: SealedPrograms): Promise<void> {
  const { stdout, stderr } = await runProgram([programs.controller, "--version"], { env: process.env });
  const { stdout: help, stderr: usage } = await runProgram([programs.controller, "--help"], { env: process.env });
  const version = (stdout + stderr).trim();
  say(`${BUNDLES} bundles of five values; beside ${version}`);
  const columns: Column[] = [];
  const add = (column: Column) => {
    columns.push(column);
    say(`${column.title}: ${rounded(column.sync.bundlesPerSecond, 1)} bundles/s`);
  };
  add(await zopp());
  if (/kubeclient-qps/.test(help + usage))
    add(await sealed(programs, "sealed-secrets, no rate limit", BUNDLES, EDITS, [NO_LIMIT]));
  else say("this controller has no --kubeclient-qps: its rate limiter cannot be switched off");
  add(await sealed(programs, "sealed-secrets, as it comes", LIMITED, LIMITED_EDITS, []));
  await mkdir(join(packageRoot(), "build"), { recursive: true });
  const said = { date: new Date().toISOString(), versions: { zopp: VERSION, sealedSecrets: version }, columns };
  await writeFile(join(packageRoot(), "build", "bench-peers.json"), `${JSON.stringify(said, null, 2)}\n`);
  console.log(shown(columns));
}

const programs = programsOf(process.env);
if (typeof programs === "string") console.log(`skipped: ${programs}`);
else await main(programs);
