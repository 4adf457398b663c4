// `make soak`: many changes a second for an hour, or as long as is asked. Fails when anything was wrong.
import { numberOf, report } from "../faults/verdict.js";
import { runSoak } from "./soak.js";

const [minutes, rate] = [numberOf("MINUTES", 60), numberOf("RATE", 50)];
const say = (line: string): void => console.log(line);
const failed = report(await runSoak({ minutes, rate, say }), say);
const ending = failed === 0 ? "nothing failed" : `${failed} verdicts failed`;
say(`${minutes} minutes, ${rate} changes a second asked for: ${ending}`);
process.exitCode = failed === 0 ? 0 : 1;
