import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { packageRoot } from "../package-root.js";
import { isPlayed, runBlocks, runOnNode } from "./blocks.js";
import { commandBlocksOf, readPage, readPages, worldOf } from "./pages.js";
import { IN_ITS_PLACE } from "./stand-ins.js";
import { Terminal } from "./terminal.js";

const pages = readPages().filter((page) => commandBlocksOf(page).length > 0);

t.test("every block of commands in the documents is run, or says why not", async (t) => {
  const reasons = new Set<string>();
  for (const page of pages) {
    const world = worldOf(page);
    for (const { text, notRun, inItsPlace } of commandBlocksOf(page)) {
      const [first = ""] = text.split("\n");
      t.ok(isPlayed(page) || world === "demo" || notRun !== undefined, `${page.path}: ${notRun ?? "run"}: ${first}`);
      if (inItsPlace !== undefined) t.ok(Object.hasOwn(IN_ITS_PLACE, inItsPlace), inItsPlace);
      if (notRun !== undefined) reasons.add(notRun);
    }
  }
  t.comment(`not run:\n${[...reasons].sort().join("\n")}`);
  const makefile = readFileSync(join(packageRoot(), "Makefile"), "utf8");
  for (const reason of reasons) {
    const [, target, file] = /^run by (?:make ([a-z0-9-]+)|(\S+\.ts))$/.exec(reason) ?? [];
    if (target !== undefined) t.match(makefile, new RegExp(`^${target}:`, "m"), reason);
    if (file !== undefined) t.ok(existsSync(join(packageRoot(), file)), reason);
  }
});

t.test("a block that fails, and a transcript that shows what was not printed, are found", async (t) => {
  const page = (block: string) => readPage("a.md", `<!-- world: files -->\n\n${block}\n`);
  const sh = (text: string) => page(`\`\`\`sh\n${text}\n\`\`\``);
  const transcript = (text: string) => page(`\`\`\`console\n${text}\n\`\`\``);
  t.equal(
    await runBlocks(page("```sh\nA=1\nmkdir b && cd b\n```\n\n```sh\ntest $A = 1 && test $(basename $PWD) = b\n```")),
    2,
  );
  await t.rejects(runBlocks(sh("false\ntrue")), { message: /these commands failed/ });
  await t.rejects(runBlocks(sh("false | cat")), { message: /these commands failed/ });
  await t.rejects(runBlocks(sh("echo $UNFINISHED 'quote\n")), { message: /these commands failed/ });
  await t.rejects(runBlocks(sh("zopp frobnicate")), { message: /unknown command/ });
  t.equal(await runBlocks(transcript("$ echo one \\\n  two\none two\n$ cat\n$ echo 3\n3")), 1);
  await t.rejects(runBlocks(transcript("$ echo one\ntwo")), { message: /this was not printed: two/ });
});

t.test("on a real node what is left to make e2e is run too, in whatever the shell is started within", async (t) => {
  const env = { PATH: process.env["PATH"] ?? "", A: "outside" };
  const terminal = new Terminal({ folder: t.testdir(), env, within: ["env", "A=inside"] });
  t.teardown(() => terminal.close());
  const block = (mark: string, text: string) => `<!-- not run: ${mark} -->\n\`\`\`sh\n${text}\n\`\`\`\n\n`;
  const page =
    block("run by make e2e; in its place: something", "test $A = inside; B=1") + block("another reason", "false");
  t.equal(await runOnNode(readPage("a.md", `${page}\`\`\`sh\ntest $B = 1\n\`\`\`\n`), terminal), 2);
});

t.test("the mark before a block says why it is not run, and what happens in its place", async (t) => {
  const text = `<!-- not run: a reason; in its place: something -->
\`\`\`sh
one
\`\`\`

<!-- not run: another -->

- a list
  <!-- not run: in a list -->
  \`\`\`console
  $ two
  \`\`\`

<!-- not run: too far -->
words
\`\`\`bash
three
\`\`\`
`;
  const found = commandBlocksOf(readPage("a.md", text));
  t.same(
    found.map(({ notRun, inItsPlace }) => ({ notRun, inItsPlace })),
    [
      { notRun: "a reason", inItsPlace: "something" },
      { notRun: "in a list", inItsPlace: undefined },
      { notRun: undefined, inItsPlace: undefined },
    ],
  );
});
