// kill -9 of a keyring while it folds and drops segments: whatever it released is recorded, and the log is one log.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { fromFiles } from "../../cli/audit/from-files.js";
import { verifyLog } from "../../cli/audit/verify.js";
import { newSigningKey } from "../../crds/crypto/identity.js";
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { silentLog } from "../../operator/kube/observe.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { readStored } from "./log.js";

const KILLS = 6;
const LONGEST_WAIT_MS = 1_500;

/** Opens bundles one after the other, and remembers which keys were released, until it is told to stop. */
function opener(t: Test, bed: Testbed) {
  const released: string[] = [];
  let isStopped = false;
  let count = 0;
  const client = connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: newSigningKey(),
    token: () => bed.token(),
    log: silentLog,
    timeoutMs: 3_000,
  });
  t.teardown(() => client.close());
  const open = async (): Promise<void> => {
    count += 1;
    const { metadata, spec } = bed.seal({ A: "x" }, { name: `b-${count % 50}` });
    const opened = await client.open({ namespace: metadata.namespace, name: metadata.name, spec }).catch(() => null);
    if (opened?.ok === true) released.push(opened.digest);
    else await sleep(50);
  };
  const run = async (): Promise<void> => {
    while (!isStopped) await open();
  };
  return {
    released,
    open,
    run,
    stop: () => {
      isStopped = true;
    },
  };
}

for (const { what, keep, before } of [
  { what: "folded", keep: "512", before: 230 },
  { what: "dropped", keep: "16", before: 0 },
]) {
  t.test(`while segments are ${what}`, async (t) => {
    const bed = await startTestbed({ env: { ZOPP_KEYRING_AUDIT_KEEP: keep } });
    t.teardown(() => bed.stop());
    await bed.operator.stop();
    const { open, run, stop, released } = opener(t, bed);
    while (released.length < before) await open();
    const running = run();
    const stdout: string[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(Math.random() * LONGEST_WAIT_MS);
      await bed.keyring.stop("SIGKILL");
      stdout.push(...bed.keyring.lines);
      await bed.startKeyring();
    }
    const target = released.length + 100;
    while (released.length < target) await sleep(50);
    stop();
    await running;
    t.equal(await bed.keyring.stop(), 0);
    stdout.push(...bed.keyring.lines);

    const file = join(t.testdir(), "stdout");
    writeFileSync(file, stdout.map((line) => `${line}\n`).join(""));
    const key = parseVerifyKey(bed.keyringKey);
    if (key === null) throw new TypeError("no key");
    const context = {
      cwd: "/",
      env: {},
      argv: [],
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
    };
    const found = await fromFiles({ ...context, terminal: () => undefined, now: () => new Date() }, file, undefined);
    const verified = verifyLog(found, key, []);
    t.equal(verified.checkpoint?.size, verified.size, "what was written out is one log to its end, by its checkpoints");
    const lines = found.records.map((record) => ("line" in record ? record.line : ""));
    const recorded = new Set(lines.map((line) => (JSON.parse(line) as { digest?: string }).digest));
    t.same(
      released.filter((digest) => !recorded.has(digest)),
      [],
      `each of ${released.length} releases is recorded`,
    );

    const { segments, ...stored } = await readStored(bed);
    t.same(stored.lines, lines.slice(stored.first.size), "and what the cluster keeps is the same log");
    if (what === "folded") t.ok(segments.some(({ metadata }) => metadata.name.endsWith("-folded")));
    else t.ok(stored.first.size > 0 && segments.length < 64, `${segments.length} segments are left`);
  });
}
