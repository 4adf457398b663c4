// A short run with a seed of its own; `make faults` is the long one, with any seed.
import t from "tap";
import { runFaults } from "./run.js";

t.test("twenty faults, one upon the other, cost nothing but time", async (t) => {
  const verdicts = await runFaults({ seed: 6, faults: 20, say: (line) => t.comment(line) });
  for (const { title, wrong, said } of verdicts) t.strictSame(wrong, [], `${title} (${said})`);
});
