// `make faults`: a run by its seed, and what the judges say. Fails when anything was wrong.
import { runFaults } from "./run.js";
import { numberOf, report } from "./verdict.js";

const seed = numberOf("SEED", 1 + (Date.now() % 1_000_000));
const faults = numberOf("FAULTS", 200);
const begun = Date.now();
const say = (line: string): void => console.log(line);
const failed = report(await runFaults({ seed, faults, say }), say);
const verdict = failed === 0 ? "all is well" : `${failed} verdicts failed`;
say(`make faults SEED=${seed} FAULTS=${faults}: ${verdict}, after ${Math.round((Date.now() - begun) / 1000)} s`);
process.exitCode = failed === 0 ? 0 : 1;
