// The tables of SECURITY.md and docs/attacks.md that say which tests attack what: that each of these tests exists, and that
// nothing is left out.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { packageRoot } from "./package-root.js";

/** The rows of a document that name tests. */
function rowsOf(document: string): readonly string[] {
  const text = readFileSync(join(packageRoot(), document), "utf8");
  return text.split("\n").filter((line) => /^\| .*\.(?:test|slow)\.ts`: "/.test(line));
}

const security = rowsOf("SECURITY.md");
const attacks = rowsOf("docs/attacks.md");

/** What stands right after `test(`, on its line or the next, or in a table of attacks after `what:`. */
function titles(source: string): readonly string[] {
  return [...source.matchAll(/\b(?:test\(|what:)\s*(["`].*)/g)].map(([, title = ""]) => title);
}

for (const [document, rows] of Object.entries({ "SECURITY.md": security, "docs/attacks.md": attacks })) {
  t.test(`every test that ${document} names is there, by its title`, async (t) => {
    t.ok(rows.length > 0);
    for (const row of rows) {
      for (const [, file = "", title = ""] of row.matchAll(/`([^`]+\.(?:test|slow)\.ts)`: "([^"]+)"/g)) {
        const path = join(packageRoot(), file);
        t.ok(
          existsSync(path) && titles(readFileSync(path, "utf8")).some((line) => line.includes(title)),
          `${file}: ${title}`,
        );
      }
    }
  });
}

t.test("every promise and every rule has a row", async (t) => {
  const numbered = (word: string, count: number) => Array.from({ length: count }, (_, at) => `${word} ${at + 1}:`);
  const lacking = [...numbered("promise", 7), ...numbered("rule", 11)].filter(
    (start) => !security.some((row) => row.startsWith(`| ${start}`)),
  );
  t.strictSame(lacking, []);
});

t.test("every finding has a row", async (t) => {
  const numbers = Array.from({ length: 35 }, (_, at) => `R${at + 1}`);
  const lacking = numbers.filter((number) => !attacks.some((row) => row.startsWith(`| ${number}: `)));
  t.strictSame(lacking, []);
});

t.test("every attack of the end-to-end tests has a row", async (t) => {
  const source = readFileSync(join(packageRoot(), "hack/e2e/attacks.test.ts"), "utf8");
  const whats = [...source.matchAll(/\bwhat: "(.*?)"/g)].map(([, what = ""]) => what);
  t.ok(whats.length > 20);
  for (const what of whats)
    t.ok(
      attacks.some((row) => row.includes(`"${what}"`)),
      what,
    );
});
