import t from "tap";
import { COMMANDS } from "../../cli/table.js";
import { ERRORS, type ErrorCode } from "../../crds/errors.js";
import { HEALED_BY_CHANGE } from "../../operator/controllers/secret.status.js";
import { CONDITION_TYPES } from "../../operator/kube/conditions.js";
import { headingsOf, readPages } from "./pages.js";
import { alerts } from "./reference.alerts.js";
import { referencePages, withPart } from "./reference.js";
import { table } from "./table.js";

const pages = await referencePages();
const text = (path: string) => pages.get(path) ?? "";
const [howToRead = ""] = text("docs/troubleshooting.md").split("\n## How to read it\n")[1]?.split("\n## ") ?? [];

// That they are in step with the code is hack/gen.test.ts' business.
t.test("the reference of the command line has every command with its options and examples", async (t) => {
  for (const { name, options, examples } of COMMANDS) {
    const [, section = ""] = text("docs/reference/cli.md").split(`\n## zopp ${name}\n`);
    const [own = ""] = section.split("\n## ");
    for (const { flags } of options) t.match(own, `\`${flags.replace("...>", ">")}\``, `${name} ${flags}`);
    for (const example of examples) t.match(own, `\n${example}\n`, example);
  }
});

t.test("the table of reasons has every code with its next step and exit code", async (t) => {
  // some conditions, in the table before it, have the name of a reason
  const [, reasons = ""] = text("docs/troubleshooting.md").split("\n## All reasons\n");
  for (const [code, { next, exit, persistence }] of Object.entries(ERRORS)) {
    const row = reasons.split("\n").find((line) => line.startsWith(`| \`${code}\` |`));
    t.ok(row?.endsWith(`| ${persistence} | ${next} | ${exit} |`), row ?? code);
  }
});

t.test("the reference of the programs has required flags, variables and defaults", async (t) => {
  const programs = text("docs/reference/programs.md");
  t.match(programs, "| `--keyring-key <file>` | `ZOPP_OPERATOR_KEYRING_KEY` | required |");
  t.match(programs, "| `--listen <host:port>` | `ZOPP_KEYRING_LISTEN` | `127.0.0.1:8443` |");
  t.match(programs, "| `--seed <file>` |  | required | file to write the seed to");
});

t.test("the reference of metrics has types and labels, and nothing of Node's that differs by platform", async (t) => {
  const metrics = text("docs/reference/metrics.md");
  t.match(metrics, "| `zopp_open_total` | counter | `result`: `ok` or a reason | ");
  t.match(metrics, "| `zopp_keyring_log_size` | gauge |  | 1 |");
  t.match(metrics, /\| `zopp_secret_condition` \| gauge \| `namespace`.* \| 10 a bundle \|/);
  t.notMatch(metrics, /`(?:process|nodejs)_\w+`/);
});

t.test("the reference of resources has lists, maps, limits and the rules of the schema", async (t) => {
  const crds = text("docs/reference/crds.md");
  t.match(crds, "| `spec.data{}.sealed` | string | at least 184 characters, at most 91660 characters,");
  t.match(crds, "| `spec.environments[].approvals.required` (required) | integer | from 1, to 32 |");
  t.match(crds, "| `spec.data{}` | an entry is either sealed or retired |");
  t.match(crds, "| `spec.target.deletionPolicy` | `Delete`, `Retain` |");
});

t.test("only what stands between the marks of a page is generated; a page without them is an error", async (t) => {
  const page = "# By hand\n<!-- generated: from here -->\nold\n<!-- generated: to here -->\nmore\n";
  const made = withPart(page, "new");
  t.ok(made.startsWith("# By hand\n<!-- generated: from here -->\n"));
  t.ok(made.endsWith("<!-- generated: to here -->\nmore\n"));
  t.notMatch(made, "\nold\n");
  t.match(made, "\nnew\n");
  t.throws(() => withPart("# By hand\n", "new"), { message: /has no marks/ });
});

t.test("the operations guide says of every alert of the chart, and of no other, what to do", async (t) => {
  const page = readPages().find(({ path }) => path === "docs/operations.md");
  const told =
    page === undefined
      ? []
      : headingsOf(page).filter(({ level, text: name }) => level === 3 && /^Zopp[A-Z]/.test(name));
  const names = alerts().map(({ alert }) => alert);
  t.strictSame(
    told.map(({ text: name }) => name),
    names,
  );
  for (const name of names) t.match(text("docs/operations.md"), `| [\`${name}\`](#${name.toLowerCase()}) |`, name);
});

t.test("the troubleshooting guide says of every type of condition, and of no other, what to do", async (t) => {
  const rows = [...howToRead.matchAll(/^\| `(\w+)` \| \S.* \| \S.* \|$/gm)].map(([, type]) => type);
  t.strictSame(rows, [...CONDITION_TYPES]);
});

t.test("the troubleshooting guide names each reason whose condition is not the one of its persistence", async (t) => {
  const isOdd = (code: ErrorCode) => (ERRORS[code].persistence === "terminal") !== HEALED_BY_CHANGE.has(code);
  const odd = (Object.keys(ERRORS) as ErrorCode[]).filter(isOdd);
  t.ok(odd.length > 0);
  const [rule = ""] = howToRead.split("\n| condition |");
  for (const code of odd) t.match(rule, `\`${code}\``, code);
});

t.test("a cell with a pipe or a line end stays one cell", async (t) => {
  t.equal(table(["a"], [["x|y\n  z"]]), "| a |\n| --- |\n| x\\|y z |\n");
});

t.test("every metric that the guides name is one that the processes have", async (t) => {
  const guides = readPages().filter(({ path }) => path.startsWith("docs/") && !path.startsWith("docs/reference/"));
  const named = guides.flatMap(({ tokens }) =>
    [...JSON.stringify(tokens).matchAll(/\b(?:zopp|workqueue|controller_runtime|rest_client)_[a-z_]+\b/g)].map(String),
  );
  t.ok(named.length > 5);
  for (const name of new Set(named)) t.match(text("docs/reference/metrics.md"), `| \`${name}\` |`, name);
});
