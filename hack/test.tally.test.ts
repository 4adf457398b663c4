import t from "tap";
import { lineOf, newTally } from "./test.tally.js";

const PASSING = ["# Subtest: dist/a.test.js", "    ok 1 - fine", "    1..1", "ok 1 - dist/a.test.js # time=12.5ms", ""];
const FAILING = [
  "# Subtest: dist/b.test.js",
  "    not ok 1 - should be equal",
  "not ok 2 - dist/b.test.js # time=1200ms",
  "  ---",
  "  exitCode: 1",
  "  ...",
];

function run(lines: readonly string[], exitCode: number, failedBefore = 0) {
  const written: string[] = [];
  const tally = newTally({
    files: ["dist/a.test.js", "dist/b.test.js"],
    sourceOf: (file) => file.replace("dist/", "").replace(".js", ".ts"),
    write: (line) => written.push(line),
  });
  for (const line of ["TAP version 14", "1..2", ...lines]) tally.read(line);
  const counts = tally.total({ exitCode, failedBefore });
  return { written, line: lineOf([counts]), failed: counts.failed };
}

const secondPassing = PASSING.map((line) => line.replace("a.test", "b.test"));

t.test("a file that passes is one line, and the totals are tap's own", async (t) => {
  const { written, line, failed } = run([...PASSING, ...secondPassing, "# { total: 7, pass: 7 }", "# time=20ms"], 0);
  t.strictSame(written, ["ok   a.test.ts (0.0 s)", "ok   b.test.ts (0.0 s)"]);
  t.equal(line, "7 passed, 0 failed");
  t.equal(failed, 0);
});

t.test("skipped tests are counted apart", async (t) => {
  const { line, failed } = run([...PASSING, ...secondPassing, "# { total: 9, pass: 6, skip: 2, todo: 1 }"], 0);
  t.equal(line, "6 passed, 0 failed, 3 skipped");
  t.equal(failed, 0);
});

t.test("a file that fails is shown whole, with what tap says of its process", async (t) => {
  const { written, line, failed } = run([...PASSING, ...FAILING, "# { total: 2, pass: 1, fail: 1 }"], 1);
  t.strictSame(written.slice(1), [
    "FAIL b.test.ts (1.2 s)",
    "    not ok 1 - should be equal",
    "  ---",
    "  exitCode: 1",
    "  ...",
  ]);
  t.equal(line, "1 passed, 1 failed");
  t.equal(failed, 1);
});

t.test("a file that never ended is a failure, though tap did not count it", async (t) => {
  const { written, line } = run([...PASSING, "# { total: 1, pass: 1 }"], 0);
  t.match(written.at(-1), /FAIL b\.test\.ts \(did not run to its end\)/);
  t.equal(line, "1 passed, 1 failed");
});

t.test("a run without totals is a failure", async (t) => {
  t.equal(run([...PASSING, ...secondPassing], 0).line, "0 passed, 1 failed");
});

t.test("a run with a bad exit code is a failure, whatever was counted", async (t) => {
  t.equal(run([...PASSING, ...secondPassing, "# { total: 2, pass: 2 }"], 1).line, "2 passed, 1 failed");
});

t.test("a test file that was not compiled is a failure", async (t) => {
  t.equal(run([...PASSING, ...secondPassing, "# { total: 2, pass: 2 }"], 0, 1).line, "2 passed, 1 failed");
});

t.test("what is no part of a result passes through, indented lines too", async (t) => {
  const table = ["-----|-----", "File | %", " crds | 90"];
  const { written } = run([...PASSING, ...secondPassing, ...table, "# { total: 2, pass: 2 }"], 0);
  t.strictSame(written.slice(2), table);
});

t.test("two runs have one last line", async (t) => {
  const [first, second] = [
    { passed: 7, failed: 0, skipped: 1 },
    { passed: 2, failed: 1, skipped: 0 },
  ];
  t.equal(lineOf([first, second]), "9 passed, 1 failed, 1 skipped");
});
