// Whether the log holds: whole, in order, written out as it is kept, and ahead of every Secret.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromFiles } from "../../cli/audit/from-files.js";
import { verifyLog } from "../../cli/audit/verify.js";
import { bindingsOf } from "../../crds/bundle/case.js";
import { bundleDigest, bundleStatements } from "../../crds/bundle/statements.js";
import { parseVerifyKey, type VerifyKey } from "../../crds/crypto/keys.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import type { AuditRecord } from "../../operator/keyring/records.js";
import { readBack } from "../../operator/keyring/replay.js";
import { linesOf } from "../../operator/keyring/segment.js";
import type { readStored } from "../e2e/log.js";
import type { Testbed } from "../testbed.js";
import type { Read } from "./judge.read.js";
import { appliedOf, type Found } from "./judge.secrets.js";
import type { Subject } from "./writer.js";

type Stored = Awaited<ReturnType<typeof readStored>>;

function keyOf(text: string): VerifyKey {
  const key = parseVerifyKey(text);
  if (key === null) throw new TypeError("no key");
  return key;
}

/** Segments as they were first written; a folded one only repeats what others hold. */
function segmentsOf({ zoppauditsegments }: Read): ZoppAuditSegment[] {
  return zoppauditsegments
    .flatMap(({ object }) => object ?? [])
    .filter(({ spec }) => spec.through === undefined)
    .sort((one, other) => one.spec.first - other.spec.first);
}

/** All that was ever stored is one chain from the first record on, and what is stored now is its end. */
export function logKept(read: Read, stored: Stored, keyringKey: string): Found {
  const wrong: string[] = [];
  const segments = segmentsOf(read);
  const [log = "", ...others] = new Set(segments.map(({ spec }) => spec.log));
  if (others.length > 0) wrong.push(`there are more logs than one: ${others.join(", ")}`);
  const whole = readBack(log, segments, [], keyOf(keyringKey)).lines;
  const indexes = whole.map((line) => (JSON.parse(line) as AuditRecord).index);
  const first = indexes.findIndex((index, at) => index !== at);
  if (first >= 0) wrong.push(`record ${first} is not in its place`);
  const kept = whole.slice(stored.first.size);
  if (kept.length !== stored.lines.length)
    wrong.push(`${kept.length} records should be kept, ${stored.lines.length} are`);
  const different = stored.lines.findIndex((line, at) => line !== kept[at]);
  if (different >= 0) wrong.push(`record ${stored.first.size + different} is not what was written`);
  return {
    wrong,
    said: `${whole.length} records in ${segments.length} segments, of which ${stored.segments.length} are left`,
  };
}

/** What all keyrings wrote to stdout, one after the other, is the same log, by its checkpoints too. */
export async function exported(lines: readonly string[], stored: Stored, { keyringKey }: Testbed): Promise<Found> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-faults-"));
  try {
    const file = join(folder, "stdout");
    writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
    const { stdin, stdout, stderr } = process;
    const context = {
      cwd: "/",
      env: {},
      argv: [],
      stdin,
      stdout,
      stderr,
      terminal: () => undefined,
      now: () => new Date(),
    };
    const found = await fromFiles(context, file, undefined);
    const verified = verifyLog(found, keyOf(keyringKey), []);
    const written = found.records.map((record) => ("line" in record ? record.line : ""));
    const kept = written.slice(stored.first.size - verified.first);
    const wrong: string[] = [];
    if (verified.checkpoint?.size !== verified.size) wrong.push("no checkpoint signs all that was written");
    if (kept.length !== stored.lines.length || kept.some((line, at) => line !== stored.lines[at]))
      wrong.push("what was written out is not what is kept");
    return { wrong, said: `${verified.size - verified.first} records and ${found.checkpoints.length} checkpoints` };
  } catch (error) {
    return { wrong: [String(error)], said: "" };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each version of a Secret is younger than a stored record by which its state was released. */
export function recordedBefore(subjects: readonly Subject[], read: Read): Found {
  const released = new Map<string, number>();
  for (const { revision, object } of read.zoppauditsegments) {
    for (const line of object === undefined ? [] : linesOf(object)) {
      const { action, decision, object: place, digest } = JSON.parse(line) as AuditRecord;
      const what = `${place} ${digest}`;
      if (action === "open" && decision === "released" && !released.has(what)) released.set(what, revision);
    }
  }
  const digests = new Map(subjects.map((subject) => [subject.key, digestsOf(subject)]));
  const wrong: string[] = [];
  for (const { subject, state, version } of appliedOf(subjects, read).applied) {
    const since = released.get(`${subject.key} ${digests.get(subject.key)?.[state]}`);
    if (since === undefined || since >= version.revision)
      wrong.push(`${subject.key} held state-${state} in revision ${version.revision}, released in ${since ?? "none"}`);
  }
  return { wrong, said: `${released.size} releases` };
}

/** The digest of each state of a bundle. */
export function digestsOf({ states, environment }: Subject): readonly string[] {
  return states.map((secret) => bundleDigest(bundleStatements(secret, bindingsOf(environment))));
}
