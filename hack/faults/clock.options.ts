// How a process is given a clock that can be set: clock.ts is preloaded, and told of a file.
// Setting it is writing that file.
import { gcOptions } from "../bench/gc.options.js";

/** The variable with the file's path. */
export const CLOCK_FILE = "ZOPP_FAULTS_CLOCK";

/** The environment of a process whose clock this file sets, and which collects its garbage on SIGUSR2. */
export function underTest(file: string): Readonly<Record<string, string>> {
  const clock = new URL("./clock.js", import.meta.url).pathname;
  return { NODE_OPTIONS: `${gcOptions()} --import=${clock}`, [CLOCK_FILE]: file };
}
