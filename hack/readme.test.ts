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

// The `console` blocks are held against runs by demo/demo.test.ts and make e2e; a diagram says nothing that could be run.
t.test("every block of README is a transcript, or one of those that are checked here", async (t) => {
  const rest = blocks.filter(({ kind, text }) => kind !== "console" && !text.includes("┌──"));
  t.equal(rest.length, 2);
  t.ok(rest.every(({ text }) => text.startsWith("make ")));
});

// Not run: `make test` would run this test again, and demo.test.ts runs what `make demo` runs.
t.test("the make targets that README names exist", async (t) => {
  const lines = [...read("README.md").matchAll(/(?:^|`)make ([a-z0-9-]+(?: [a-z0-9-]+)*)/gm)];
  const names = lines.flatMap(([, targets = ""]) => targets.split(" "));
  t.ok(names.length >= 4);
  for (const name of names) t.match(read("Makefile"), new RegExp(`^${name}:.*## `, "m"), name);
});

t.test(
  "the images start processes with the settings of Node and malloc that tests, demo and benchmark do",
  async (t) => {
    const dockerfile = read("Dockerfile").replaceAll('"', "");
    for (const [name, value] of Object.entries(RUNTIME)) t.ok(dockerfile.includes(`${name}=${value}`), name);
  },
);
