// zopp edit with real editors: programs that change the file as a person would. The process is the real one.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { Entry, ZoppSecret } from "../../crds/types.gen.js";
import { PLAIN_NODE } from "../../hack/child.js";
import { runProgram } from "../../hack/run-program.js";
import { Workbench } from "../run.case.js";
import { readManifests } from "../store/yaml.read.js";

const ZOPP = fileURLToPath(new URL("../main.js", import.meta.url));
const FOLDER = "/dev/shm";

/** `zopp edit` as alice or somebody else, with a shell script as the editor: $1 is the file, $HOME/turn counts its turns. */
async function edit(bench: Workbench, script: string, as = "alice", env: Readonly<Record<string, string>> = {}) {
  bench.write("editor.sh", `#!/bin/sh\nset -e\n${script}\n`, 0o755);
  const all = { PATH: process.env["PATH"], ...bench.environmentOf(as), EDITOR: bench.path("editor.sh"), ...env };
  const line = `${PLAIN_NODE}exec "${process.execPath}" "${ZOPP}" edit api`;
  return runProgram(["/bin/sh", "-c", line], { env: all, cwd: bench.checkout });
}

function entriesOf(bench: Workbench): Readonly<Record<string, Entry>> {
  const [manifest] = readManifests(bench.read("zopp/shop-dev/api.yaml"), "api.yaml");
  return (manifest?.value as ZoppSecret | undefined)?.spec.data ?? {};
}

async function withApi(bench: Workbench): Promise<string> {
  const pin = await bench.init();
  for (const [key, stdin] of [
    ["USER", "shop"],
    ["PASSWORD", "hunter2"],
    ["OLD", "x"],
  ] as const)
    await bench.must(["set", "shop-dev/api", key], { stdin });
  return pin;
}

const inMemory = () => readdirSync(FOLDER).filter((name) => name.startsWith("zopp-"));

t.test(
  "only what was changed is sealed anew; what was taken out is a tombstone; what was added is there",
  async (t) => {
    const bench = new Workbench(t);
    await withApi(bench);
    const before = entriesOf(bench);
    const ran = await edit(
      bench,
      `sed -i '/^OLD:/d; s/hunter2/hunter3/' "$1"; printf '"NO": "yes"\\nPORT: 5432\\nMANY: |\\n  a\\n  b\\n' >>"$1"`,
    );
    t.equal(ran.code, 0, ran.stderr);
    t.match(ran.stdout, /^set PASSWORD, NO, PORT, MANY, took OLD out: shop-dev\/api/);
    t.notMatch(ran.stdout + ran.stderr, /hunter/);
    const after = entriesOf(bench);
    t.same(after["USER"], before["USER"], "not a byte of it");
    t.not(after["PASSWORD"]?.sealed, before["PASSWORD"]?.sealed);
    t.equal(after["OLD"]?.retired, true);
    const shown = JSON.parse((await bench.must(["get", "shop-dev/api", "-o", "json"])).out).entries;
    const value = (text: string) => ({ value: text });
    t.same(shown, {
      MANY: value("a\nb\n"),
      NO: value("yes"),
      PASSWORD: value("hunter3"),
      PORT: value("5432"),
      USER: value("shop"),
    });
    await bench.must(["verify"]);
  },
);

t.test("the file lies in memory, is private, is no argument's value, and is gone afterwards", async (t) => {
  const bench = new Workbench(t);
  await withApi(bench);
  const found = bench.path("found");
  const before = inMemory();
  await edit(
    bench,
    `stat -c '%n %a' "$1" "$(dirname "$1")" >'${found}'; tr '\\0' ' ' </proc/$PPID/cmdline >>'${found}'`,
  );
  const [file = "", folder = "", ...rest] = bench.read("found").split("\n");
  t.match(file, /^\/dev\/shm\/zopp-\w+\/api\.yaml 600$/);
  t.match(folder, / 700$/);
  t.notMatch(rest.join("\n"), "hunter2");
  t.equal(existsSync(file.split(" ")[0] ?? ""), false);
  t.same(inMemory(), before);
  const failed = await edit(bench, `kill -TERM "$(ps -o ppid= -p $PPID)"; sleep 0.2; exit 3`);
  t.equal(failed.code, 1);
  t.same(inMemory(), before, "also when it ends otherwise");
});

t.test("an edit that cannot be stored comes back with the reason, and nothing typed is lost", async (t) => {
  const bench = new Workbench(t);
  await withApi(bench);
  const turns = `n=$(cat '${bench.path("turn")}' 2>/dev/null || echo 0); n=$((n+1)); echo $n >'${bench.path("turn")}'; cp "$1" '${bench.folder}'/seen.$n`;
  const script = `${turns}
case $n in
1) sed -i 's/hunter2/"typed-with-care/' "$1" ;;
2) sed -i 's/"typed-with-care/typed-with-care/; s/^USER: .*/USER: [a, b]/' "$1" ;;
3) sed -i 's/^USER: .*/USER: shop/' "$1" ;;
esac`;
  const ran = await edit(bench, script);
  t.equal(ran.code, 0, ran.stderr);
  const seen = (turn: number) => bench.read(join("..", `seen.${turn}`));
  t.match(seen(2), /^#: Malformed: the edit:\d+: not valid YAML/m);
  t.match(seen(2), "typed-with-care");
  t.match(seen(3), "#: Malformed: the edit: USER is a map or a list");
  t.notMatch(seen(3), "not valid YAML", "what was said before is not said again");
  t.equal((await bench.must(["get", "shop-dev/api", "PASSWORD"])).out, "typed-with-care");
  t.notMatch(ran.stderr, "typed-with-care");
});

t.test("who closes the file as it was changes nothing; nor does who empties it, or whose editor fails", async (t) => {
  const bench = new Workbench(t);
  await withApi(bench);
  const before = bench.read("zopp/shop-dev/api.yaml");
  t.match((await edit(bench, "true")).stdout, "nothing was changed");
  const emptied = await edit(bench, `: >"$1"`);
  t.match([emptied.code, emptied.stderr], [1, "Interrupted: the file came back empty"]);
  t.match((await edit(bench, `echo 'NEW: x' >>"$1"; exit 9`)).stderr, "Interrupted: the editor");
  const invalid = await edit(
    bench,
    `echo 'not a key: x' >>"$1.once"; test -e '${bench.path("once")}' || { cat "$1.once" >>"$1"; touch '${bench.path("once")}'; }`,
  );
  t.match([invalid.code, invalid.stderr], [5, "Malformed"], "closed as it came back: given up");
  t.equal(bench.read("zopp/shop-dev/api.yaml"), before);
});

t.test("values that are no text stay as they are, and odd ones come back byte for byte", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const odd = [
    "",
    " ",
    "yes",
    "0x1f",
    "a: b # c",
    "\ttab\r\nend\n\n",
    "#: x",
    "- l",
    "'\"",
    "é😀\u0007",
    "---",
    "~",
    "1e3",
    "{a}",
  ];
  for (const [at, stdin] of odd.entries()) await bench.must(["set", "shop-dev/api", `K${at}`, "--exact"], { stdin });
  await bench.must(["set", "shop-dev/api", "BINARY"], { stdin: Uint8Array.from([0xff, 0, 1]) });
  const before = entriesOf(bench);
  const copied = bench.path("copied");
  t.match((await edit(bench, `cp "$1" '${copied}'`)).stdout, "nothing was changed");
  t.match(bench.read("copied"), "#: not shown, and left as they are: BINARY");
  t.equal((await edit(bench, `echo 'LAST: x' >>"$1"`)).code, 0);
  const { LAST, ...others } = entriesOf(bench);
  t.ok(LAST);
  t.same(others, before);
});

t.test("who may read and not write hears so before anything is stored, with what was typed before him", async (t) => {
  const bench = new Workbench(t);
  const pin = await withApi(bench);
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"]);
  const before = bench.read("zopp/shop-dev/api.yaml");
  const ran = await edit(bench, `sed -i s/hunter2/mine/ "$1"`, "bob");
  t.match([ran.code, ran.stderr], [3, "NotAuthorised: bob may not write PASSWORD in"]);
  t.equal(bench.read("zopp/shop-dev/api.yaml"), before);
});

t.test("a folder that does not lie in memory is passed over, whoever names it", async (t) => {
  const bench = new Workbench(t);
  await withApi(bench);
  const found = bench.path("found");
  const ran = await edit(bench, `echo "$1" >'${found}'`, "alice", { XDG_RUNTIME_DIR: "/proc/self" });
  t.equal(ran.code, 0, ran.stderr);
  t.match(bench.read("found"), /^\/dev\/shm\//);
});
