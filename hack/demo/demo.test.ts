import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import t from "tap";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
/** What each attack of the story is refused as. */
const REFUSALS = ["SignatureInvalid", "PlaceMismatch", "UnknownSigner", "RollbackRefused", "NotPinned"];

t.test("the demo tells the truth: every step holds and every attack is refused for its reason", async (t) => {
  const demo = spawn(process.execPath, [MAIN], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KEEP: "" },
  });
  const lines: string[] = [];
  for (const stream of [demo.stdout, demo.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  const code = await new Promise((resolve) => demo.once("exit", resolve));
  const text = lines.join("");
  t.equal(code, 0, code === 0 ? "it ends well" : text);
  for (const reason of REFUSALS) t.match(text, `refused: ${reason}`);
  t.match(text, /everything was as told/);
});
