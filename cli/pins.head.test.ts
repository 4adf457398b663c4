// What git's HEAD may say about a client's pins: who can write to git, but not sign policy, neither holds them back nor
// moves them. HEAD matters for drafts only (hack/decisions/0002).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { workspaceStatement } from "../crds/statement.js";
import { git, Workbench } from "./run.case.js";
import { openDirectory } from "./store/directory.js";

const POLICY = "zopp/acme.yaml";
const ENVIRONMENT = "zopp/acme.shop.dev.yaml";

/** A workspace in git, with what is seen of it as pins, and the texts of its policy before and after a signed change. */
async function changed(t: Test) {
  const bench = new Workbench(t);
  await bench.init();
  const old = { policy: bench.read(POLICY), environment: bench.read(ENVIRONMENT) };
  git(bench, "init", "-q");
  commit(bench);
  await bench.must(["grant", "alice", "audit", "--scope", "*"]);
  await bench.must(["grant", "alice", "read"]);
  const next = { policy: bench.read(POLICY), environment: bench.read(ENVIRONMENT) };
  return { bench, old, next };
}

function commit(bench: Workbench): void {
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "change");
}

interface Pinned {
  readonly minVersion: number;
  readonly owners: string;
  readonly environments: Readonly<Record<string, number>>;
}

function pinned(bench: Workbench): Pinned {
  const file = join(bench.folder, "people", "alice", ".zopp", "known-workspaces");
  return (JSON.parse(readFileSync(file, "utf8")) as { acme: Pinned }).acme;
}

async function versions(bench: Workbench) {
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  const workspace = await store.read("ZoppWorkspace", { name: "acme" });
  const environment = await store.read("ZoppEnvironment", { name: "acme.shop.dev" });
  return { workspace: workspace?.spec.version, environment: environment?.spec.version };
}

/** The same text with another signature: the object is well formed, and signed by nobody. */
function unsigned(text: string): string {
  const broken = text.replace(/(signatures:(?:.*\n)*?.*value: )(\S)(\S)/, (_, head: string, a: string, b: string) =>
    a === b ? `${head}zy` : head + b + a,
  );
  if (broken === text) throw new Error("no signature was found");
  return broken;
}

const BAD_HEADS: readonly [string, (old: { policy: string; environment: string }) => [string, string]][] = [
  ["is older and signed by nobody", ({ policy, environment }) => [unsigned(policy), unsigned(environment)]],
  ["cannot be read at all", () => ["apiVersion: zopp.dev/v1alpha1\nkind: [\n", "zopp.dev/v1: {\n"]],
  [
    "says a very low version",
    ({ policy, environment }) => [
      policy.replace(/^ {2}version: \d+/m, "  version: 1"),
      environment.replace(/^ {2}version: \d+/m, "  version: 1"),
    ],
  ],
];

for (const [title, make] of BAD_HEADS) {
  t.test(`a HEAD that ${title} does not hold the pins back`, async (t) => {
    const { bench, old, next } = await changed(t);
    const before = pinned(bench);
    const [policy, environment] = make(old);
    bench.write(POLICY, policy);
    bench.write(ENVIRONMENT, environment);
    commit(bench);
    bench.write(POLICY, next.policy);
    bench.write(ENVIRONMENT, next.environment);
    await bench.must(["set", "api", "K"], { stdin: "v" });
    const now = await versions(bench);
    t.ok((now.workspace ?? 0) > before.minVersion, "there is something to advance to");
    t.equal(pinned(bench).minVersion, now.workspace);
    t.equal(pinned(bench).environments["shop/dev"], now.environment);
    bench.write(POLICY, old.policy);
    t.match((await bench.run(["set", "api", "K"], { stdin: "v" })).err, "PolicyRollback");
  });
}

t.test("a good HEAD keeps the pins where a draft can be taken back from", async (t) => {
  const { bench, old } = await changed(t);
  const before = pinned(bench);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.same(pinned(bench), before);
  bench.write(POLICY, old.policy);
  bench.write(ENVIRONMENT, old.environment);
  await bench.must(["set", "api", "K"], { stdin: "v" });
});

t.test("a good HEAD that is older than what was seen does not hold the pins back", async (t) => {
  const { bench, old } = await changed(t);
  commit(bench);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  const seen = bench.read(POLICY);
  await bench.must(["grant", "alice", "submit", "--scope", "shop"]);
  const newest = bench.read(POLICY);
  bench.write(POLICY, old.policy);
  commit(bench);
  bench.write(POLICY, newest);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.equal(pinned(bench).minVersion, (await versions(bench)).workspace);
  bench.write(POLICY, seen);
  t.match((await bench.run(["set", "api", "K"], { stdin: "v" })).err, "PolicyRollback");
});

t.test("a good HEAD that the checkout's policy does not follow does not hold the pins back", async (t) => {
  const { bench, old } = await changed(t);
  bench.write(POLICY, old.policy);
  const grantSubmit = { subject: "alice", role: "submit", scope: "shop" } as const;
  await bench.amend((content) => ({ ...content, grants: [...(content.grants ?? []), grantSubmit] }));
  const fork = bench.read(POLICY);
  bench.write(POLICY, old.policy);
  await bench.must(["grant", "alice", "write", "--scope", "shop"]);
  const newest = bench.read(POLICY);
  bench.write(POLICY, fork);
  commit(bench);
  bench.write(POLICY, newest);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.equal(pinned(bench).minVersion, (await versions(bench)).workspace);
});

t.test("a HEAD that is newer than what lies in the checkout does not advance the pins", async (t) => {
  const { bench, old, next } = await changed(t);
  const before = pinned(bench);
  commit(bench);
  bench.write(POLICY, old.policy);
  bench.write(ENVIRONMENT, old.environment);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.same(pinned(bench), before, "only what was judged is remembered, never what HEAD says");
  bench.write(POLICY, next.policy.replace(/^ {2}version: \d+/m, "  version: 29990101000000"));
  commit(bench);
  bench.write(POLICY, old.policy);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.same(pinned(bench), before);
});

t.test("a HEAD of other owners neither moves the pin to them nor holds it back", async (t) => {
  const { bench, next } = await changed(t);
  const before = pinned(bench);
  const theirs = join(bench.folder, "theirs");
  git(bench, "clone", "-q", bench.checkout, theirs);
  await bench.must(["init", "acme/shop/dev", "--store", "forged", "--recovery-file", "../recovery2.txt"], {
    as: "mallory",
    cwd: theirs,
  });
  bench.write(POLICY, readFileSync(join(theirs, "forged", "acme.yaml"), "utf8"));
  bench.write(ENVIRONMENT, readFileSync(join(theirs, "forged", "acme.shop.dev.yaml"), "utf8"));
  commit(bench);
  t.match((await bench.run(["set", "api", "K"], { stdin: "v" })).err, "PinMismatch");
  t.same(pinned(bench), before, "what is refused is not remembered");
  bench.write(POLICY, next.policy);
  bench.write(ENVIRONMENT, next.environment);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.equal(pinned(bench).owners, before.owners);
  t.equal(pinned(bench).minVersion, (await versions(bench)).workspace);
});

t.test("an edit on a bad HEAD follows the checkout's policy, not HEAD's", async (t) => {
  const { bench, old, next } = await changed(t);
  bench.write(POLICY, unsigned(old.policy));
  commit(bench);
  bench.write(POLICY, next.policy);
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  const present = await store.read("ZoppWorkspace", { name: "acme" });
  await bench.must(["grant", "alice", "submit", "--scope", "shop"]);
  const amended = await store.read("ZoppWorkspace", { name: "acme" });
  if (present === undefined || amended === undefined) throw new Error("no workspace");
  t.equal(amended.spec.ancestors?.[0], workspaceStatement("acme", present.spec).hash);
});
