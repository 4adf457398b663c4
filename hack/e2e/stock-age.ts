// The stock age tool, as people have it for the day on which nothing of zopp is at hand.
// What it opens is the tests' business.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { findProgram } from "../executables.js";
import { fromModule, goPrograms, missingOf } from "../go-programs.js";

const AGE = fromModule("e2e", {
  title: "age",
  name: "age",
  version: "1.3.1",
  programs: [{ name: "age", goPackage: "filippo.io/age/cmd/age", minutes: 0.5, megabytes: 5 }],
});

/** Why the stock age tool cannot be had here, or false. */
export function noStockAge(): string | false {
  if (missingOf(AGE, process.env).length === 0 || findProgram("go", process.env["PATH"]) !== undefined) return false;
  return "no age in the cache and no Go to build it: recovery with the stock tool is not tried";
}

/** Opens an age file with the keys of an identity file, as `age --decrypt` does. */
export async function openWithStockAge(identityFile: string, file: Uint8Array): Promise<Uint8Array> {
  const folder = await goPrograms(AGE, { env: process.env, log: (line) => console.error(line) });
  return execFileSync(join(folder, "age"), ["--decrypt", "--identity", identityFile], { input: file });
}
