// Whoever reads a value keeps the checkpoint that came with it, so that a log which is cut or replaced afterwards is found out:
// against a keyring that runs, and by people who may not look into its log.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { formatToken } from "../../crds/crypto/token.js";
import { acme, digestOfOwners, seedOf } from "../../hack/fixtures.js";
import { startTestbed } from "../../hack/testbed.js";
import { type KubeObject, ZOPP_AUDIT_SEGMENTS } from "../../operator/kube/resources.js";
import { type Ran, type RunOptions, Workbench } from "../run.case.js";

const NAMESPACE = "zopp-system";
const bed = await startTestbed();
t.teardown(() => bed.stop());
const bench = new Workbench(t);
const owners = digestOfOwners(acme());
const KEYRING = ["--keyring", `127.0.0.1:${bed.ports.keyring}`];

/** A command of somebody of the policy, with an identity directory for each. */
function zopp(as: string, words: readonly string[], { env = {}, ...options }: RunOptions = {}): Promise<Ran> {
  const given = {
    ZOPP_TOKEN: formatToken(seedOf(as), owners),
    KUBECONFIG: bed.controlPlane.kubeconfig,
    ZOPP_STORE: "cluster",
    ZOPP_WORKSPACE: "acme",
  };
  return bench.run(words, { ...options, as, env: { ...given, ...env } });
}

const read = (as: string, options: RunOptions = {}) => zopp(as, ["get", "shop-prod/api", "A", ...KEYRING], options);
const verify = (as: string, from = "cluster") => zopp(as, ["audit", "verify", "--from", from]);
const fileOf = (as: string) => join(bench.environmentOf(as)["ZOPP_HOME"] ?? "", "known-logs");

/** The sizes of the logs in the checkpoints that somebody keeps. */
function sizesOf(as: string): number[] {
  if (!existsSync(fileOf(as))) return [];
  const seen = Object.values(JSON.parse(readFileSync(fileOf(as), "utf8")) as Record<string, { opened: string[] }>);
  return seen.flatMap(({ opened }) => opened.map((text) => Number(text.split("\n")[1])));
}

async function segments() {
  const { items } = await bed.client.list<KubeObject & { spec: { first: number; count: number } }>(
    ZOPP_AUDIT_SEGMENTS,
    {
      namespace: NAMESPACE,
    },
  );
  return [...items].sort((a, b) => a.spec.first - b.spec.first);
}

t.before(async () => {
  await bed.applyBundle(bed.seal({ A: "x", B: "y" }));
  await bed.settled("Synced");
});

t.test("get, run and edit keep the checkpoint that holds the record of the read", async (t) => {
  const commands: readonly (readonly string[])[] = [
    ["get", "shop-prod/api", "A", ...KEYRING],
    ["run", "shop-prod/api", ...KEYRING, "--", "true"],
    ["edit", "shop-prod/api", ...KEYRING],
  ];
  for (const [at, words] of commands.entries()) {
    const ran = await zopp("alice", words, { env: { EDITOR: "true" } });
    t.equal(ran.code, 0, `${words[0]}: ${ran.err}`);
    t.notMatch(ran.err, "note:");
    t.equal(sizesOf("alice").length, at + 1, `${words[0]}`);
  }
  const last = (await segments()).at(-1)?.spec;
  t.equal(sizesOf("alice").at(-1), (last?.first ?? 0) + (last?.count ?? 0), "the newest is that of the whole log");
});

t.test("a log that holds agrees with all of them, and is kept in their place", async (t) => {
  const { code, out, err } = await verify("alice");
  t.equal(code, 0, err);
  t.match(out, /agrees +with the checkpoint of .*known-logs \(of a value that you opened\)/);
  t.same(sizesOf("alice"), []);
  t.match(
    (await verify("alice")).out,
    /agrees +with the checkpoint of .*known-logs\n/,
    "the verified one is compared next",
  );
});

t.test("an export from before a read says nothing of it, and is no sign of tampering", async (t) => {
  const exported = join(bench.checkout, "keyring.log");
  writeFileSync(exported, `${bed.keyring.lines.join("\n")}\n`);
  t.equal((await read("alice")).code, 0);
  const ran = await verify("alice", "keyring.log");
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /values that you opened are recorded later/);
  t.equal(sizesOf("alice").length, 1, "and what was not compared stays");
});

t.test("what cannot be kept is said, and keeps nobody from reading", async (t) => {
  t.equal((await read("bob")).code, 0);
  writeFileSync(fileOf("bob"), "damaged");
  const ran = await read("bob");
  t.match(ran, { code: 0, out: "x", err: /audit verify` will not know of this: Malformed: known-logs/ });
  const nowhere = await read("bob", { env: { HOME: "", ZOPP_HOME: "" } });
  t.match(nowhere, { code: 0, out: "x", err: /will not know of this: Usage: no folder for the identity/ });
});

t.test("the end of the log is cut off, with the record of a read: whoever read finds out", async (t) => {
  t.equal((await read("alice")).code, 0);
  const [cut] = (await segments()).slice(-1);
  if (cut === undefined) throw new Error("no segments");
  await bed.keyring.stop();
  await bed.client.delete(ZOPP_AUDIT_SEGMENTS, cut.metadata);
  const { code, err } = await verify("alice");
  t.equal(code, 7);
  const { first } = cut.spec;
  t.match(
    err,
    new RegExp(
      `LogChanged: .*known-logs \\(of a value that you opened\\): record(s ${first} to \\d+ are| ${first} is) gone`,
    ),
  );
});

t.test(
  "the keyring's own key goes on from there: the log is as long again, and reads since do not hide it",
  async (t) => {
    await bed.startKeyring();
    await bed.keyring.healthy(bed.ports.keyringHealth);
    const before = sizesOf("alice");
    for (let reads = 0; reads < 3; reads += 1) t.equal((await read("alice")).code, 0);
    const last = (await segments()).at(-1)?.spec;
    t.ok((last?.first ?? 0) + (last?.count ?? 0) > Math.max(...before), "nothing is missing by the numbers");
    const { code, err } = await verify("alice");
    t.equal(code, 7);
    t.match(err, /LogChanged: .* not what was signed in the checkpoint of .*known-logs \(of a value that you opened\)/);
  },
);
