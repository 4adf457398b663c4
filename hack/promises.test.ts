// The table of SECURITY.md that says which tests attack which promise and rule: that each of these tests exists.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { packageRoot } from "./package-root.js";

const text = readFileSync(join(packageRoot(), "SECURITY.md"), "utf8");
const rows = text.split("\n").filter((line) => /^\| .*\.test\.ts`: "/.test(line));

/** What stands right after `test(`, on its line or the next. */
function titles(source: string): readonly string[] {
  return [...source.matchAll(/\btest\(\s*(["`].*)/g)].map(([, title = ""]) => title);
}

t.test("every test that SECURITY.md names is there, by its title", async (t) => {
  for (const row of rows) {
    for (const [, file = "", title = ""] of row.matchAll(/`([^`]+\.test\.ts)`: "([^"]+)"/g)) {
      const path = join(packageRoot(), file);
      t.ok(
        existsSync(path) && titles(readFileSync(path, "utf8")).some((line) => line.includes(title)),
        `${file}: ${title}`,
      );
    }
  }
});

t.test("every promise and every rule has a row", async (t) => {
  const numbered = (word: string, count: number) => Array.from({ length: count }, (_, at) => `${word} ${at + 1}:`);
  const lacking = [...numbered("promise", 7), ...numbered("rule", 11)].filter(
    (start) => !rows.some((row) => row.startsWith(`| ${start}`)),
  );
  t.strictSame(lacking, []);
});
