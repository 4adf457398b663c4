// Segments: what a chain of them proves, and every way in which somebody may have touched one.
import t from "tap";
import { encodeBase64, encodeHex } from "../../crds/crypto/encoding.js";
import { sha256, utf8 } from "../../crds/crypto/primitives.js";
import { ZoppError } from "../../crds/errors.js";
import { segmentStatement, signStatement } from "../../crds/statement.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { parseAuditSegment } from "../../crds/validate.js";
import { identityOf } from "../../hack/fixtures.js";
import { checkSegment, linesOf, makeSegment, NO_SEGMENT, segmentName, treeHash } from "./segment.js";

const OURS = identityOf("cluster eu-1").signing;
const THEIRS = identityOf("cluster eu-2").signing;
const LINES = ['{"index":0}', '{"index":1}', '{"index":2}'];
const FIRST = { log: "log-1", first: 0, previous: NO_SEGMENT };

function made(lines: readonly string[] = LINES, place = FIRST): ZoppAuditSegment {
  return makeSegment("zopp-system", place, lines, OURS).segment;
}

/** The segment with other facts, signed again by whoever is given. */
function forged(changes: Partial<ZoppAuditSegment["spec"]>, key = OURS): ZoppAuditSegment {
  const segment = made();
  const spec = { ...segment.spec, ...changes };
  const { log, first, count, previous, hash } = spec;
  const signature = signStatement(key, segmentStatement({ log, first, count, previous, hash }));
  return { ...segment, spec: { ...spec, signature } };
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "ok";
  } catch (error) {
    return error instanceof ZoppError ? error.code : String(error);
  }
}

t.test("the tree hash is that of RFC 6962", async (t) => {
  const hash = (...parts: Uint8Array[]) => sha256(...parts);
  const leaf = (text: string) => hash(Uint8Array.of(0), utf8(text));
  const node = (left: Uint8Array, right: Uint8Array) => hash(Uint8Array.of(1), left, right);
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(leaf) as [Uint8Array, ...Uint8Array[]] as Uint8Array[];
  if (!a || !b || !c || !d || !e) throw new TypeError("five leaves");
  t.equal(encodeHex(treeHash([])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  t.equal(encodeHex(treeHash([""])), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  t.same(treeHash(["a", "b", "c"]), node(node(a, b), c));
  t.same(treeHash(["a", "b", "c", "d"]), node(node(a, b), node(c, d)));
  t.same(treeHash(["a", "b", "c", "d", "e"]), node(node(node(a, b), node(c, d)), e));
});

t.test("a segment gives back the lines that it was made of, in a form that the schema knows", async (t) => {
  const segment = parseAuditSegment(made());
  t.equal(segment.metadata.name, "log-1-000000000000");
  t.equal(segmentName("log-1", 987_654_321), "log-1-000987654321");
  t.match(checkSegment(segment, FIRST, OURS.verifyKey), /^[0-9a-f]{64}$/);
  t.same(linesOf(segment), LINES);
});

t.test("segments chain: each names the hash of the one before", async (t) => {
  const { segment: one, hash } = makeSegment("zopp-system", FIRST, LINES, OURS);
  const second = { log: "log-1", first: 3, previous: hash };
  const two = made(['{"index":3}'], second);
  t.equal(checkSegment(one, FIRST, OURS.verifyKey), hash);
  t.type(checkSegment(two, second, OURS.verifyKey), "string");
});

const BROKEN: Record<string, ZoppAuditSegment> = {
  "a segment that another key signed": forged({}, THEIRS),
  "a count that was not signed": { ...made(), spec: { ...made().spec, count: 2 } },
  "a hash that was not signed": { ...made(), spec: { ...made().spec, hash: "0".repeat(64) } },
  "a signature that is not base64": { ...made(), spec: { ...made().spec, signature: "!" } },
  "a segment under another name": { ...made(), metadata: { name: "log-1-000000000007", namespace: "zopp-system" } },
  "a segment that starts later": {
    ...forged({ first: 1 }),
    metadata: { name: "log-1-000000000001", namespace: "zopp-system" },
  },
  "a segment of another log": {
    ...forged({ log: "log-2" }),
    metadata: { name: "log-2-000000000000", namespace: "zopp-system" },
  },
  "a segment that follows another one": forged({ previous: "1".repeat(64) }),
};

for (const [what, segment] of Object.entries(BROKEN)) {
  t.test(`${what} breaks the log`, async (t) => {
    t.equal(
      codeOf(() => checkSegment(segment, FIRST, OURS.verifyKey)),
      "LogBroken",
    );
  });
}

const FOREIGN_RECORDS: Record<string, string> = {
  "other lines": made(['{"index":9}', '{"index":1}', '{"index":2}']).spec.records,
  "a line less": made(LINES.slice(1)).spec.records,
  "a line more": made([...LINES, "{}"]).spec.records,
  "lines joined into one": made([`${LINES[0]}${LINES[1]}`, LINES[2] ?? ""]).spec.records,
  "no base64": "?",
  "no gzip": encodeBase64(utf8("plain")),
  "a bomb": made(Array.from({ length: 3 }, () => " ".repeat(1024 * 1024))).spec.records,
};

for (const [what, records] of Object.entries(FOREIGN_RECORDS)) {
  t.test(`records that hold ${what} break the log, though the signature holds`, async (t) => {
    const segment = { ...made(), spec: { ...made().spec, records } };
    t.type(checkSegment(segment, FIRST, OURS.verifyKey), "string", "records are not in the statement; their hash is");
    t.equal(
      codeOf(() => linesOf(segment)),
      "LogBroken",
    );
  });
}
