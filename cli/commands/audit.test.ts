// The audit commands on files: a log as it was exported, and everything that somebody may have done to it since.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { signCheckpoint } from "../../crds/audit/checkpoint.js";
import { leafHash, MerkleTree } from "../../crds/audit/merkle.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import { identityOf } from "../../hack/fixtures.js";
import { type Ran, Workbench } from "../run.case.js";

const KEY = identityOf("cluster eu-1").signing;
const LOG = "20261123101112-aa";
const RECORDS = 20;
const EVERY = 4;

/** The line of a record: a start, and then openings of three bundles, by the operator and by bob. */
function lineOf(index: number, changes: object = {}): string {
  const time = new Date(Date.UTC(2026, 10, 23, 10, index)).toISOString();
  if (index === 0)
    return JSON.stringify({ index, time, action: "start", decision: "done", actor: "keyring", log: LOG });
  const isRead = index % 5 === 0;
  const who = isRead
    ? { action: "read", evidence: "proved", actor: "bob/laptop", versions: { A: index } }
    : {
        action: "open",
        evidence: "delegated",
        actor: "system:serviceaccount:zopp-system:zopp",
        entries: { A: { version: index } },
      };
  const object = `shop-prod/b-${index % 3}`;
  const what = { object, keys: ["A"], environment: "acme/shop/production" };
  return JSON.stringify({ index, time, ...who, decision: "released", ...what, ...changes });
}

const LINES = Array.from({ length: RECORDS }, (_, index) => lineOf(index));

/** What a keyring writes to stdout for these lines: a checkpoint after every four. */
function stdoutOf(lines: readonly string[], key: SigningKey = KEY): string[] {
  const tree = new MerkleTree();
  return lines.flatMap((line, at) => {
    tree.append(leafHash(line));
    const said = ['{"level":"info","msg":"something else"}', `{"audit":${line}}`];
    const checkpoint = signCheckpoint({ log: LOG, size: tree.size, root: tree.root() }, key);
    return (at + 1) % EVERY === 0 ? [...said, JSON.stringify({ checkpoint })] : said;
  });
}

class Bench extends Workbench {
  put(lines: readonly string[], name = "keyring.log"): void {
    writeFileSync(join(this.checkout, name), lines.map((line) => `${line}\n`).join(""));
  }

  audit(verb: string, ...words: string[]): Promise<Ran> {
    return this.run(["audit", verb, ...words]);
  }

  verify(from = "keyring.log", ...words: string[]): Promise<Ran> {
    return this.audit("verify", "--from", from, "--keyring-key", KEY.verifyKey.text, ...words);
  }
}

async function bench(t: Test, lines = stdoutOf(LINES)): Promise<Bench> {
  const made = new Bench(t);
  made.put(lines);
  return made;
}

t.test(
  "a log as it was written holds, in a file, a folder of files, and from stdin with a collector's words",
  async (t) => {
    const one = await bench(t);
    const { code, out, err } = await one.verify();
    t.equal(code, 0, err);
    t.match(out, /records {2}0 to 19, from keyring\.log: none changed, dropped or moved/);
    const said = stdoutOf(LINES).map((line) => `2026-11-23T10:11:12.000000000Z stdout F ${line}`);
    const piped = await one.run(["audit", "verify", "--from", "-", "--keyring-key", KEY.verifyKey.text], {
      stdin: said.join("\n"),
    });
    t.equal(piped.code, 0, piped.err);
  },
);

t.test("a keyring that starts again writes its newest records once more: that is no change", async (t) => {
  const lines = stdoutOf(LINES);
  const one = await bench(t, [...lines.slice(0, 20), ...lines.slice(15)]);
  const { code, err } = await one.verify();
  t.equal(code, 0, err);
});

const swapped = (lines: readonly string[], at: number) => {
  const all = [...lines];
  [all[at], all[at + 1]] = [all[at + 1] as string, all[at] as string];
  return all;
};
const without = (lines: readonly string[], at: number) => lines.filter((_, index) => index !== at);
const renumbered = (lines: readonly string[]) =>
  lines.map((line, index) => JSON.stringify({ ...(JSON.parse(line) as object), index }));
/** The checkpoints as they were signed, around other records. */
function around(records: readonly string[]): string[] {
  const signed = stdoutOf(LINES).filter((line) => line.startsWith('{"checkpoint"'));
  return [...records.map((line) => `{"audit":${line}}`), ...signed];
}

const CHANGED = lineOf(6, { actor: "mallory/laptop" });
const changedAt6 = LINES.map((line, at) => (at === 6 ? CHANGED : line));

const ATTACKS: readonly (readonly [what: string, lines: string[], code: string, said: RegExp])[] = [
  ["a record was changed", around(changedAt6), "LogChanged", /records 4 to 7 are not what was signed/],
  ["a record was dropped", around(without(LINES, 6)), "LogChanged", /record 6 is missing: record 7 follows 5/],
  [
    "one was dropped, the others renumbered",
    around(renumbered(without(LINES, 6))),
    "LogChanged",
    /records 4 to 7 are not/,
  ],
  ["two changed places", around(swapped(LINES, 6)), "LogChanged", /record 6 is missing: record 7 follows 5/],
  ["two changed places and numbers", around(renumbered(swapped(LINES, 6))), "LogChanged", /records 4 to 7 are not/],
  [
    "the end was cut off",
    around(LINES.slice(0, 15)),
    "LogChanged",
    /has 15 records, and had \d+ .*: record(s \d+ to 19 are| 15 is) gone/,
  ],
  [
    "another key signed it",
    stdoutOf(LINES, identityOf("cluster eu-2").signing),
    "CheckpointInvalid",
    /not signed by the key/,
  ],
];

for (const [what, lines, code, said] of ATTACKS) {
  t.test(`found by the checkpoints beside it: ${what}`, async (t) => {
    const one = await bench(t, lines);
    const ran = await one.verify();
    t.not(ran.code, 0);
    t.match(ran.err, code);
    t.match(ran.err, said);
  });
}

const REWRITTEN: readonly (readonly [what: string, lines: string[], said: RegExp])[] = [
  ["the end was cut off with its checkpoints", stdoutOf(LINES.slice(0, 12)), /had 20 .*records 12 to 19 are gone/],
  [
    "the keyring's own key signed another history",
    stdoutOf(changedAt6),
    /records 0 to 19 are not what was signed|records 16 to 19/,
  ],
];

for (const [what, lines, said] of REWRITTEN) {
  t.test(`found by the checkpoint that was kept: ${what}`, async (t) => {
    const one = await bench(t);
    t.equal((await one.verify()).code, 0);
    one.put(lines);
    const ran = await one.verify();
    t.equal(ran.code, 7);
    t.match(ran.err, said);
    t.match(ran.err, /known-logs/);
  });
  t.test(`found by a checkpoint that is given, on a machine that never saw the log: ${what}`, async (t) => {
    const one = await bench(t, lines);
    const last = stdoutOf(LINES).at(-1) ?? "";
    writeFileSync(join(one.checkout, "kept"), (JSON.parse(last) as { checkpoint: string }).checkpoint);
    const ran = await one.verify("keyring.log", "--checkpoint", "kept");
    t.equal(ran.code, 7);
    t.match(ran.err, said);
  });
}

t.test("what begins in the middle is not called whole", async (t) => {
  const one = await bench(t, stdoutOf(LINES).slice(11));
  const ran = await one.verify();
  t.match(ran.err, /LogPruned.*begins with record \d+/);
});

t.test("without any checkpoint it says what would not show", async (t) => {
  const one = await bench(
    t,
    LINES.map((line) => `{"audit":${line}}`),
  );
  const ran = await one.verify();
  t.equal(ran.code, 0);
  t.match(ran.err, /records cut off at the end would not show/);
});

t.test("tiles", async (t) => {
  const one = await bench(t);
  const exported = (await one.audit("export", "audit", "--from", "keyring.log", "--keyring-key", KEY.verifyKey.text))
    .err;
  t.equal(exported, "");
  t.equal((await one.verify("audit")).code, 0);
  const entries = join(one.checkout, "audit", "tile", "entries", "000.p", "20");

  await t.test("a changed record is found, and which it is", async (t) => {
    const before = readFileSync(entries);
    writeFileSync(
      entries,
      Buffer.from(before.toString("latin1").replace('"index":6', '"index":6 '.trim()).replace("b-0", "b-9"), "latin1"),
    );
    t.match((await one.verify("audit")).err, /LogChanged: record 3 is not the one that was hashed/);
    writeFileSync(entries, before.subarray(0, before.length - 5));
    t.match((await one.verify("audit")).err, /record 19: its bundle of entries is cut/);
    writeFileSync(entries, before);
  });

  await t.test("a changed hash is found by the checkpoint", async (t) => {
    const hashes = join(one.checkout, "audit", "tile", "0", "000.p", "20");
    t.ok(existsSync(hashes));
    const before = readFileSync(hashes);
    const forged = Buffer.from(before);
    forged.set(leafHash(CHANGED), 6 * 32);
    writeFileSync(hashes, forged);
    t.match((await one.verify("audit")).err, /record 6 is not the one/);
    writeFileSync(hashes, before);
  });

  await t.test("exported again it grows, also when the source has forgotten its first records", async (t) => {
    const more = Array.from({ length: 300 }, (_, index) => lineOf(index));
    one.put(stdoutOf(more));
    const words = ["--from", "keyring.log", "--keyring-key", KEY.verifyKey.text];
    t.match((await one.audit("export", "audit", ...words)).out, /300 records/);
    t.notOk(existsSync(`${join(one.checkout, "audit", "tile", "0", "000")}.p`), "the tile that was not whole is gone");
    t.equal((await one.verify("audit")).code, 0);
    one.put(stdoutOf(changedAt6));
    t.match((await one.audit("export", "audit", ...words)).err, /LogChanged/, "another history is not written over it");
  });
});

t.test("list chooses by who, what, where and when", async (t) => {
  const one = await bench(t);
  const indexes = async (...words: string[]) => {
    const { out, err, code } = await one.audit("list", "--from", "keyring.log", "-o", "name", ...words);
    t.equal(code, 0, err);
    t.match(err, /shown as they were found/);
    return out.trim().split("\n").map(Number);
  };
  t.equal((await indexes()).length, RECORDS);
  t.same(await indexes("--principal", "bob"), [5, 10, 15]);
  t.same(await indexes("--secret", "b-0", "--action", "read"), [15]);
  t.same(await indexes("--action", "start"), [0]);
  t.equal((await indexes("-e", "shop/production")).length, RECORDS - 1);
  t.same(await indexes("--since", "2026-11-23T10:18:00.000Z"), [18, 19]);
  t.same(await indexes("--until", "2026-11-23T10:02:00.000Z"), [0, 1]);
  t.match((await one.audit("list", "--from", "keyring.log", "--since", "soon")).err, /Usage/);
  const { out } = await one.audit("list", "--from", "keyring.log", "--principal", "bob", "-o", "json");
  t.match(JSON.parse(out), { records: [{ index: 5, actor: "bob/laptop", evidence: "proved" }, {}, {}] });
});

t.test("who names everybody who was given a key, the version, and what that proves", async (t) => {
  const one = await bench(t);
  const { out, err } = await one.audit("who", "shop-prod/b-0", "--from", "keyring.log", "-o", "json");
  const { releases } = JSON.parse(out) as { releases: readonly { index: number }[] };
  t.same(
    releases.map(({ index }) => index),
    [3, 6, 9, 12, 15, 18],
  );
  t.match(releases[4], { who: "bob/laptop", evidence: "proved", key: "A", version: 15 });
  t.match(releases[0], { evidence: "delegated", version: 3 });
  t.match(err, /who read that Secret afterwards is in the API server's audit log/);
  t.match((await one.audit("who", "b-0", "--from", "keyring.log", "--name", "B")).out, /no key of b-0 was released/);
});
