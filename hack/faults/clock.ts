// Preloaded into a process of a fault run: its wall clock is as many milliseconds off as a file says, now and from now on.
// `Date` alone: timers and performance.now() are the machine's, as on one whose clock is set; TLS keeps the real time.
import { readFileSync } from "node:fs";
import { CLOCK_FILE } from "./clock.options.js";

const LOOK_MS = 100;
const RealDate = Date;
let offsetMs = 0;

function look(file: string): void {
  try {
    offsetMs = Number(readFileSync(file, "utf8"));
  } catch {
    // it is being written
  }
}

class ShiftedDate extends RealDate {
  constructor(...given: readonly unknown[]) {
    super(...((given.length === 0 ? [RealDate.now() + offsetMs] : given) as [number]));
  }

  static override now(): number {
    return RealDate.now() + offsetMs;
  }
}

const file = process.env[CLOCK_FILE];
if (file !== undefined) {
  look(file);
  setInterval(() => look(file), LOOK_MS).unref();
  globalThis.Date = ShiftedDate as DateConstructor;
}
