import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { VERSION } from "./version.js";

t.test("the version is that of package.json", async (t) => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  t.equal(VERSION, JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version);
});
