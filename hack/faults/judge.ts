// Whether all was well: what the world looks like in peace, and what its whole history shows once everything has ended.
// Each question has a verdict of its own; asking them is here, answering in the files beside this one.

import { readStored } from "../e2e/log.js";
import { history, revisionNow } from "./etcd.js";
import type { Footprint } from "./footprint.js";
import { refusedExpired } from "./judge.certificates.js";
import { eventsBounded } from "./judge.events.js";
import { exported, logKept, recordedBefore } from "./judge.log.js";
import { grown, stuck } from "./judge.processes.js";
import { historyOf, READ } from "./judge.read.js";
import { revisionsKept } from "./judge.revisions.js";
import { neverOwned, neverWrong, wrongNow } from "./judge.secrets.js";
import type { Verdict } from "./verdict.js";
import type { World } from "./world.js";

interface Looked {
  /** What the processes kept before the first fault, and after the last. */
  readonly before: Footprint;
  readonly after: Footprint;
  readonly faults: number;
}

/** Judges a world in peace, and ends its processes. */
export async function judge(world: World, { before, after, faults }: Looked): Promise<readonly Verdict[]> {
  const { bed, writer, keyring, kept, storms } = world;
  const { etcdUrl } = bed.controlPlane;
  const { subjects } = writer;
  const inPeace = [
    { title: "every Secret holds the last signed and approved state", ...(await wrongNow(world)) },
    { title: "every process is ready, and nothing waits in a queue", ...(await stuck(world)) },
    { title: "no process needs much more after the faults than before", ...grown(before, after) },
    { title: "each event was told once, and no more than was done", ...(await eventsBounded(bed, subjects)) },
  ];
  const until = await revisionNow(etcdUrl);
  const codes = await world.endProcesses();
  const failed = [...codes].filter(([, code]) => code !== 0).map(([name, code]) => `${name} ended with ${code}`);
  const read = historyOf(await history(etcdUrl, READ));
  const stored = await readStored(bed);
  const ends = kept.flatMap(({ ends }) => ends).length;
  return [
    ...inPeace,
    { title: "every process ends in order", wrong: failed, said: `${ends} ends during ${faults} faults` },
    { title: "nothing was said to whoever showed an expired certificate", ...refusedExpired(storms) },
    { title: "no Secret ever held what was not signed, approved and newer", ...neverWrong(subjects, read) },
    { title: "no Secret that must outlive its bundle ever had an owner", ...neverOwned(subjects, read) },
    { title: "the log is one unbroken chain, and no record of it is lost", ...logKept(read, stored, bed.keyringKey) },
    {
      title: "what was written out agrees with the log and its checkpoints",
      ...(await exported([...bed.keyring.lines, ...keyring.lines], stored, bed)),
    },
    { title: "each applied state had been recorded as released before", ...recordedBefore(subjects, read) },
    { title: "no kept state of a bundle is lost", ...revisionsKept(subjects, read, until) },
  ];
}
