// The token to enrol with, where it is and where it is not.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readToken } from "./token.js";

const file = join(t.testdir(), "token");

t.test("a token that is not there is no fault of zopp: its path is named, and it is tried again", async (t) => {
  rmSync(file, { force: true });
  const message = `cannot read ${file}, the token to enrol with`;
  await t.rejects(readToken(file), { code: "Unauthenticated", message, terminal: false });
  writeFileSync(file, "ey.J.h\n");
  t.equal(await readToken(file), "ey.J.h");
});
