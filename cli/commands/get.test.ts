import t from "tap";
import { principalOf, Workbench } from "../run.case.js";
import { runCli } from "../run.js";

const BINARY = Uint8Array.from([0, 255, 10, 13, 0x1b, 0xc3, 0x28]);

/** Runs a command whose stdout is a terminal. */
async function onTerminal(
  bench: Workbench,
  words: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const into = (lines: string[]) => ({
    isTTY: true,
    write: (chunk: string | Uint8Array) => void lines.push(Buffer.from(chunk).toString("utf8")),
  });
  const code = await runCli({ ...bench.context(), argv: words, stdout: into(out), stderr: into(err) });
  return { code, out: out.join(""), err: err.join("") };
}

t.test("a value goes into a pipe byte for byte, and onto a terminal with a newline", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "TEXT"], { stdin: "plain" });
  await bench.must(["set", "api", "BINARY"], { stdin: BINARY });
  t.equal((await bench.must(["get", "api", "TEXT"])).out, "plain");
  t.same([...(await bench.must(["get", "api", "BINARY"])).bytes], [...BINARY]);
  t.equal((await onTerminal(bench, ["get", "api", "TEXT"])).out, "plain\n");
  const binary = await onTerminal(bench, ["get", "api", "BINARY"]);
  t.equal(binary.code, 2, "bytes that could steer a terminal are kept off it");
  t.equal(binary.out, "");
  const json = JSON.parse((await bench.must(["get", "api", "-o", "json"])).out);
  t.same(json.entries, { BINARY: { base64: Buffer.from(BINARY).toString("base64") }, TEXT: { value: "plain" } });
});

t.test("an author who left is a warning to a reader, who has no ledger", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  const alone = (await bench.amend((content) => content)).spec.principals;
  await bench.amend((content) => ({ ...content, principals: [...alone, principalOf("bob", bob)] }));
  await bench.must(["grant", "bob", "submit", "--scope", "shop/dev"]);
  await bench.must(["set", "api", "OWN"], { stdin: "alice's" });
  await bench.must(["set", "api", "TOKEN"], { as: "bob", stdin: "bob's" });
  t.equal((await bench.must(["get", "api", "TOKEN"])).err, "");
  await bench.amend((content) => ({ ...content, principals: alone }));
  const ran = await bench.must(["get", "api", "TOKEN"]);
  t.equal(ran.out, "bob's");
  t.match(ran.err, "AuthorLeft");
  t.equal((await bench.run(["verify", "--as-new-cluster"])).code, 3);
});

t.test("what is not there, or not for this reader, is refused as that", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.person("bob", pin);
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
  await bench.must(["set", "api", "GONE"], { stdin: "x" });
  await bench.must(["unset", "api", "GONE"]);
  const cases: [string, string[], string, string, number][] = [
    ["an unknown bundle", ["nope"], "alice", "NotFound", 4],
    ["an unknown key", ["api", "NOPE"], "alice", "NotFound", 4],
    ["a removed key", ["api", "GONE"], "alice", "NotFound", 4],
    ["another environment", ["shop-dev/api", "-e", "shop/prod"], "alice", "Usage", 2],
    ["another namespace", ["other/api"], "alice", "NotFound", 4],
    ["somebody who is no recipient", ["api", "TOKEN"], "bob", "NotRecipient", 6],
    ["nobody at all", ["api", "TOKEN"], "nobody", "NotPinned", 3],
  ];
  for (const [title, words, as, code, exit] of cases) {
    const ran = await bench.run(["get", ...words], { as });
    t.equal(ran.code, exit, `${title}: ${ran.err}`);
    t.match(ran.err, code, title);
    t.equal(ran.out, "", title);
  }
});

t.test("a wrong passphrase opens nothing, and an identity that is missing is said to be", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
  bench.write("wrong", "guess");
  const wrong = await bench.run(["get", "api", "TOKEN"], { env: { ZOPP_PASSPHRASE_FILE: bench.path("wrong") } });
  t.equal(wrong.code, 6);
  t.match(wrong.err, "WrongPassphrase");
  const none = await bench.run(["get", "api", "TOKEN"], { as: "eve", env: { ZOPP_TRUST: pin } });
  t.equal(none.code, 4);
  t.match(none.err, "NoIdentity");
  const asked = await bench.run(["get", "api", "TOKEN"], {
    env: { ZOPP_PASSPHRASE_FILE: "" },
    answers: ["correct horse"],
  });
  t.equal(asked.out, "x");
});
