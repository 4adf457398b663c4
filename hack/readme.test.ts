import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { RUNTIME } from "./child.js";
import { packageRoot } from "./package-root.js";

const read = (file: string) => readFileSync(join(packageRoot(), file), "utf8");
const blocks = [...read("README.md").matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, kind, text = ""]) => ({
  kind,
  text,
}));

// The `console` blocks are held against a run by demo/demo.test.ts; a diagram says nothing that could be run.
t.test("every block of README is a transcript, or one of those that are checked here", async (t) => {
  const rest = blocks.filter(({ kind, text }) => kind !== "console" && !text.includes("┌──"));
  t.equal(rest.length, 2);
  t.ok(rest.every(({ text }) => /^(make|NODE_OPTIONS)/.test(text)));
});

// Not run: `make test` would run this test again, and demo.test.ts runs what `make demo` runs.
t.test("the make targets that README names exist", async (t) => {
  const names = [...read("README.md").matchAll(/(?:^|`)make ([a-z]+)/gm)].map(([, name = ""]) => name);
  t.ok(names.length >= 4);
  for (const name of names) t.match(read("Makefile"), new RegExp(`^${name}:.*## `, "m"), name);
});

t.test(
  "the settings of Node and malloc in README are those that tests, demo and benchmark start processes with",
  async (t) => {
    const line = Object.entries(RUNTIME).map(
      ([name, value]) => `${name}=${value.includes(" ") ? `"${value}"` : value}`,
    );
    t.ok(
      blocks.some(({ text }) => text.trim() === line.join(" ")),
      line.join(" "),
    );
  },
);
