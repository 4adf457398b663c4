// A minute instead of an hour, and a rate that two cores can do beside a control plane: `make soak` is the real one.
import t from "tap";
import { runSoak } from "./soak.js";

t.test("a minute under change leaves memory, handles and queue as they were", async (t) => {
  const verdicts = await runSoak({ minutes: 1, rate: 20, say: (line) => t.comment(line) });
  for (const { title, wrong, over = [], said } of verdicts) {
    t.strictSame(wrong, [], `${title} (${said})`);
    for (const line of over) t.comment(`over: ${title}: ${line}`);
  }
});
