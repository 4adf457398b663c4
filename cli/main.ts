#!/usr/bin/env node
// The process of `zopp`: its streams, signals and exit code; nothing else.
// What it does is in run.ts and commands/.
import { ERRORS } from "../crds/errors.js";
import type { Context } from "./context.js";
import { controllingTerminal } from "./input.js";
import { runCli } from "./run.js";

const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const context: Context = {
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  terminal: controllingTerminal,
  now: () => new Date(),
};

// A handler, since files are replaced in one synchronous stretch: a signal then waits for its end instead of cutting it.
for (const [signal, code] of Object.entries(EXIT_BY_SIGNAL)) {
  process.once(signal, () => {
    process.stderr.write(`error: Interrupted: ended by ${signal}\nnext: ${ERRORS.Interrupted.next}\n`);
    process.exit(code);
  });
}
// `zopp list | head`: whoever reads has enough
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const code = await runCli(context);
// pipes and terminals may still be open for reading; what was written is out, as these writes do not wait
process.exit(code);
