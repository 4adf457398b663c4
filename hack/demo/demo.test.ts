import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { commandBlocksOf, readPage } from "../docs/pages.js";
import { eventually } from "../eventually.js";
import { packageRoot } from "../package-root.js";
import { firstNotPlayed, masked } from "./transcript.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
/** What each attack of the story is refused as, in its order. */
const REFUSALS = [
  "SignatureInvalid",
  "PlaceMismatch",
  "PlaceMismatch",
  "UnknownSigner",
  "RollbackRefused",
  "NotPinned",
];

interface Played {
  readonly process: ChildProcess;
  /** What it has written so far. */
  text(): string;
  readonly exit: Promise<number | null>;
}

function play(env: Readonly<Record<string, string>> = {}): Played {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KEEP: "", ...env },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { process: child, text: () => text, exit };
}

const folderOf = (text: string) => /\S+zopp-demo-\w+/.exec(text)?.[0] ?? "no folder was named";

t.test("the demo tells the truth: every step holds and every attack is refused for its reason", async (t) => {
  const demo = play();
  const code = await demo.exit;
  const text = demo.text();
  t.equal(code, 0, code === 0 ? "it ends well" : text);
  t.same(
    [...text.matchAll(/✓ refused: (\w+)/g)].map(([, reason]) => reason),
    REFUSALS,
  );
  t.match(text, /503 NoPolicy/);
  t.match(text, /everything was as told/);
  t.match(folderOf(text), /zopp-demo/);
  t.notOk(existsSync(folderOf(text)), "its folder is removed");

  const readme = readPage("README.md", readFileSync(join(packageRoot(), "README.md"), "utf8"));
  const blocks = commandBlocksOf(readme).filter(({ notRun }) => notRun === undefined);
  const shown = blocks.flatMap((block) => masked(block.text));
  t.ok(shown.filter((line) => line.startsWith("$ ")).length >= 6, "README shows commands");
  t.equal(firstNotPlayed(shown, masked(text)), undefined, "what README shows is what was played, in its order");
});

t.test("KEEP=1 leaves it running and says how to look; Ctrl-C then removes everything", async (t) => {
  const demo = play({ KEEP: "1" });
  await eventually(() => demo.text().includes("folder     ") || demo.process.exitCode !== null, { timeoutMs: 400_000 });
  const text = demo.text();
  const profile = /^ {2}\. (\S+)/m.exec(text)?.[1] ?? "";
  const look = spawn("/bin/sh", ["-c", `. ${profile} && zopp status --store cluster && kubectl get zs -A`], {
    env: {},
  });
  let seen = "";
  for (const stream of [look.stdout, look.stderr]) stream.setEncoding("utf8").on("data", (part) => (seen += part));
  t.equal(await new Promise((resolve) => look.once("close", resolve)), 0, seen);
  t.match(seen, /shop-prod\/api .*True +Synced/);
  demo.process.kill("SIGINT");
  t.equal(await demo.exit, 130);
  t.match(demo.text(), /stopping everything\n$/);
  t.notOk(existsSync(folderOf(text)), "its folder is removed");
  const kubeconfig = /kubeconfig (\S+)/.exec(text)?.[1] ?? "";
  t.match(kubeconfig, /control-plane/);
  await eventually(() => !existsSync(kubeconfig), { message: "the control plane's folder is removed" });
});

t.test("Ctrl-C in the middle of the story removes everything, and is not told as a failure", async (t) => {
  const demo = play();
  await eventually(() => demo.text().includes("503 NoPolicy"), { timeoutMs: 240_000 });
  demo.process.kill("SIGINT");
  t.equal(await demo.exit, 130);
  t.notMatch(demo.text(), /✗/);
  t.notOk(existsSync(folderOf(demo.text())), "its folder is removed");
});

t.test("a demo that is not as told says what, and ends with 1", async (t) => {
  const demo = play({ PATH: "/nowhere" });
  t.equal(await demo.exit, 1);
  t.match(demo.text(), /✗ not as told: git is not found/);
  t.notOk(existsSync(folderOf(demo.text())), "its folder is removed");
});
