// `make bench-load`: runs the load suite, or the scenarios that LOAD names, and writes build/load.json.
// BENCH_BUNDLES is the measure of all sizes. Ends with 1 when something was wrong; a limit that a slow machine does not keep is printed.
import { mkdir, writeFile } from "node:fs/promises";
import { VERSION } from "../../../crds/version.js";
import { packageRoot } from "../../package-root.js";
import { loadTable, verdictOf } from "./rows.js";
import { chosen, runSuite } from "./suite.js";

const bundles = Number(process.env["BENCH_BUNDLES"] ?? 1000);
const names = chosen(process.env["LOAD"] ?? "");
const { rows, wrong } = await runSuite(names, {
  bundles,
  say: (text) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`),
});
const versions = { zopp: VERSION, node: process.versions.node };
const report = { date: new Date().toISOString(), versions, bundles, rows: rows.map(withVerdict), wrong };
await mkdir(`${packageRoot()}/build`, { recursive: true });
await writeFile(`${packageRoot()}/build/load.json`, `${JSON.stringify(report, null, 2)}\n`);
console.log(loadTable(rows));
for (const what of wrong) console.log(`wrong: ${what}`);
process.exitCode = wrong.length === 0 ? 0 : 1;

function withVerdict(row: (typeof rows)[number]) {
  return { ...row, limits: row.limits.map(({ text }) => text), verdict: verdictOf(row) };
}
