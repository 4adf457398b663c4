// Runs something while values change twenty times a second, and gives what the witness (load.main.ts) saw.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../../eventually.js";
import type { Outcome } from "../../load.js";
import { APP, type Site } from "./site.js";

/** With `LEAST` enough for the keyring to fold its log a second time, as it does after every 256 records. */
const BUNDLES = 200;
const PER_SECOND = 20;
const LEAST = 350;
const LOADED_MS = 120_000;
const MAIN = fileURLToPath(new URL("load.main.js", import.meta.url));

/** Does something once every Secret under load is there; values change until it is done, and so many at least. */
export async function underLoad(site: Site, act: () => Promise<void>): Promise<Outcome> {
  const [file, end] = [join(site.folder, "load.log"), join(site.folder, "load.end")];
  const load = site.attempt(`node ${MAIN} ${APP.namespace} ${BUNDLES} ${PER_SECOND} ${LEAST} ${end} > ${file}`);
  const ended = load.then(({ code, stderr }) => {
    if (code !== 0) throw new Error(`the load ended with ${code}: ${stderr}`);
  });
  await Promise.race([
    ended,
    eventually(() => readFileSync(file, "utf8").includes("loaded\n"), {
      timeoutMs: LOADED_MS,
      message: "it is loaded",
    }),
  ]);
  await act().finally(() => writeFileSync(end, ""));
  await ended;
  return JSON.parse(readFileSync(file, "utf8").trim().split("\n").at(-1) ?? "") as Outcome;
}
