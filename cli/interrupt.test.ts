// An edit that is interrupted at any moment leaves the file whole, as it was or as it should be, and nothing beside it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import t from "tap";
import { Workbench } from "./run.case.js";
import { readManifests } from "./store/yaml.read.js";

const FILE = "zopp/shop-dev/api.yaml";
const RUNS = 12;

function start(bench: Workbench, key: string): ChildProcess {
  const main = join(import.meta.dirname, "main.js");
  const env = { ...bench.environmentOf("alice"), PATH: process.env["PATH"] };
  const child = spawn(process.execPath, [main, "set", "api", key], {
    cwd: bench.checkout,
    env,
    stdio: ["pipe", "ignore", "pipe"],
  });
  child.stdin?.on("error", () => {});
  child.stdin?.end("a new value");
  return child;
}

t.test("a signal at any moment of an edit leaves the file whole and nothing beside it", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const many = Array.from({ length: 60 }, (_, at) => `KEY_${at}=${at}`).join("\n");
  await bench.must(["set", "api", "--dotenv", "-"], { stdin: many });
  const before = Date.now();
  const whole = start(bench, "KEY_0");
  const [code] = await once(whole, "exit");
  const wholeMs = Date.now() - before;
  t.equal(code, 0);
  const ends = { cut: 0, done: 0 };
  for (let run = 0; run < RUNS; run += 1) {
    const old = bench.read(FILE);
    const child = start(bench, `KEY_${run}`);
    const ended = once(child, "exit");
    // the first comes before anything is done; most fall into the second half, where the file is written
    const share = run === 0 ? 0 : 0.3 + (0.9 * run) / RUNS;
    await Promise.race([ended, delay(wholeMs * share)]);
    child.kill(run % 2 === 0 ? "SIGINT" : "SIGTERM");
    await ended;
    const now = bench.read(FILE);
    ends[now === old ? "cut" : "done"] += 1;
    t.equal(readManifests(now, FILE).length, 1, `run ${run}: the file is whole`);
    t.same(readdirSync(dirname(bench.path(FILE))), ["api.yaml"], `run ${run}: nothing beside it`);
  }
  t.ok(ends.cut > 0, "some edits were cut off");
  const verified = await bench.run(["verify"], { env: {} });
  t.equal(verified.code, 0, verified.out + verified.err);
});
