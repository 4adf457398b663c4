// The token that the operator enrols with, as it lies there now: kubelet puts a new one in its place again and again.
import { readFile } from "node:fs/promises";
import { ZoppError } from "../crds/errors.js";

/** Reads it. Throws Unauthenticated when it cannot be read, which is tried again. */
export async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new ZoppError("Unauthenticated", `cannot read ${file}, the token to enrol with`, { cause });
  }
}
