import t from "tap";
import { report, type Verdict } from "./verdict.js";

t.test("what is wrong has failed; what a slow machine explains is told, and has not", async (t) => {
  const lines: string[] = [];
  const verdicts: readonly Verdict[] = [
    { title: "all is kept", wrong: [], said: "12 of 12" },
    { title: "it was fast", wrong: [], over: ["slower than was asked for"], said: "" },
    { title: "nothing was lost", wrong: ["lost: api"], over: ["late"], said: "" },
  ];
  t.equal(
    report(verdicts, (line) => lines.push(line)),
    1,
  );
  t.strictSame(lines, [
    "ok     all is kept (12 of 12)",
    "over   it was fast",
    "         slower than was asked for",
    "FAILED nothing was lost",
    "         lost: api",
    "         late",
  ]);
});
