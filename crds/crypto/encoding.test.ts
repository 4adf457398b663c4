// Encodings: one text for every sequence of bytes, and nothing else is read.
// Published answers come from RFC 4648, RFC 3720 (CRC catalogue's check value), RFC 8785 and DSSE's protocol page.
import fc from "fast-check";
import t from "tap";
import { dssePae } from "./dsse.js";
import { crc32, decodeBase62, decodeBase64, encodeBase32, encodeBase62, encodeBase64, encodeHex } from "./encoding.js";
import { canonicalFields, canonicalJson, type Json } from "./jcs.js";
import { pae } from "./pae.js";
import { utf8 } from "./primitives.js";

t.test("base64, base32 and hex give RFC 4648's answers", async (t) => {
  const answers: [string, string, string][] = [
    ["", "", ""],
    ["f", "Zg==", "my"],
    ["fo", "Zm8=", "mzxq"],
    ["foo", "Zm9v", "mzxw6"],
    ["foob", "Zm9vYg==", "mzxw6yq"],
    ["fooba", "Zm9vYmE=", "mzxw6ytb"],
    ["foobar", "Zm9vYmFy", "mzxw6ytboi"],
  ];
  for (const [text, base64, base32] of answers) {
    t.equal(encodeBase64(utf8(text)), base64);
    t.equal(encodeBase32(utf8(text)), base32);
    t.strictSame(decodeBase64(base64), utf8(text));
  }
  t.equal(encodeHex(Uint8Array.of(0, 0xab, 0xff)), "00abff");
});

t.test("base64 of any bytes reads back", async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => same(decodeBase64(encodeBase64(bytes)), bytes)));
});

const OTHER_SPELLINGS: Readonly<Record<string, string>> = {
  "no padding": "Zg",
  "half the padding": "Zg=",
  "too much padding": "Zg===",
  "padding where none belongs": "Zm9v=",
  "bits left over": "Zh==",
  "bits left over in a longer text": "Zm9vYh==",
  "a line break": "Zm9v\nYmFy",
  "a line break at the end": "Zm9v\n",
  "a space": " Zm9v",
  "the URL alphabet": "-_-_",
  "a character outside the alphabet": "Zm9*",
  "padding in the middle": "Zg==Zg==",
  "one character": "Z",
  "a letter that looks alike": "Zm9ѵ",
};
for (const [title, text] of Object.entries(OTHER_SPELLINGS)) {
  t.test(`base64 is refused: ${title}`, async (t) => t.equal(decodeBase64(text), null));
}

t.test("no two texts are read as the same bytes", async () => {
  const symbols = fc.constantFrom(..."ABCZaz059+/=-_ \nѵŁé");
  fc.assert(
    fc.property(fc.string({ unit: symbols, maxLength: 12 }), (text) => {
      const bytes = decodeBase64(text);
      return bytes === null || encodeBase64(bytes) === text;
    }),
    { numRuns: 2000 },
  );
});

t.test("base62 has a fixed width, keeps order, and reads back", async (t) => {
  const bytes48 = fc.uint8Array({ minLength: 48, maxLength: 48 });
  fc.assert(
    fc.property(bytes48, bytes48, (one, other) => {
      const [text, second] = [encodeBase62(one, 65), encodeBase62(other, 65)];
      const ordered = encodeHex(one) < encodeHex(other) === text < second;
      return text.length === 65 && ordered && same(decodeBase62(text, 48), one);
    }),
  );
  t.equal(encodeBase62(new Uint8Array(48), 65), "0".repeat(65));
  t.equal(encodeBase62(Uint8Array.of(61), 2), "0z");
  t.equal(encodeBase62(Uint8Array.of(62), 2), "10");
  t.equal(encodeBase62(new Uint8Array(48).fill(255), 65).length, 65, "the highest number fits");
  t.throws(() => encodeBase62(Uint8Array.of(255), 1), TypeError);
  t.equal(decodeBase62("zz", 1), null, "a number too big");
  t.equal(decodeBase62("0-", 1), null, "a character outside the alphabet");
  t.equal(decodeBase62("Ā0", 1), null);
});

t.test("CRC-32 has the catalogue's check value", async (t) => {
  t.equal(crc32(utf8("123456789")), 0xcbf43926);
  t.equal(crc32(new Uint8Array(0)), 0);
});

t.test("PAE is as written: label, line feed, count, and each part with its length", async (t) => {
  const expected = "7a0a" + "0200000000000000" + "0100000000000000" + "61" + "0200000000000000" + "3130";
  t.equal(encodeHex(pae("z", "a", 10)), expected);
  t.equal(encodeHex(pae("z")), "7a0a0000000000000000");
  t.strictSame(pae("z", "é"), pae("z", Uint8Array.of(0xc3, 0xa9)), "strings are UTF-8");
  for (const part of [1.5, Number.NaN, 2 ** 53, "\ud800"]) t.throws(() => pae("z", part), TypeError);
});

t.test("different lists of parts have different encodings", async () => {
  const parts = fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 });
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      const equal = one.length === other.length && one.every((part, at) => part === other[at]);
      return equal === same(pae("z", ...one), pae("z", ...other));
    }),
    { numRuns: 2000 },
  );
});

t.test("DSSE's own example", async (t) => {
  t.strictSame(
    dssePae("http://example.com/HelloWorld", "hello world"),
    utf8("DSSEv1 29 http://example.com/HelloWorld 11 hello world"),
  );
  t.strictSame(dssePae("t", "é"), utf8("DSSEv1 1 t 2 é"), "lengths count bytes");
});

t.test("canonical JSON sorts members by UTF-16 code units and escapes as RFC 8785 says", async (t) => {
  t.equal(canonicalJson({ b: 1, a: [true, "x"], "": {} }), '{"":{},"a":[true,"x"],"b":1}');
  // RFC 8785, section 3.2.3: its example of sorting
  const sorted = ["\r", "1", "</script>", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"];
  const members = sorted.map((name) => `${JSON.stringify(name)}:"v"`);
  t.equal(canonicalJson(Object.fromEntries(sorted.toReversed().map((name) => [name, "v"]))), `{${members.join(",")}}`);
  t.equal(canonicalJson('€$\u000f\nA\'B"\\"/'), '"€$\\u000f\\nA\'B\\"\\\\\\"/"');
  t.equal(canonicalJson(9007199254740991), "9007199254740991");
});

t.test("canonical JSON reads back, and the order of members does not matter", async () => {
  const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.maxSafeNat(),
      fc.constant(true as const),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(fc.string({ maxLength: 5 }), tie("tree"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const text = canonicalJson(value);
      return canonicalJson(JSON.parse(text) as Json) === text && canonicalJson(reversed(value)) === text;
    }),
  );
});

const WITHOUT_CANONICAL_FORM: Readonly<Record<string, unknown>> = {
  "a fraction": 1.5,
  "a number of 2^53": 2 ** 53,
  "minus zero": -0,
  "not a number": Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  null: null,
  false: false,
  "nothing in a member": { a: undefined },
  "nothing in an array": [undefined],
  "a hole in an array": new Array<string>(2),
  "a lone surrogate": "\ud800",
  "a lone surrogate in a name": { "\udc00": "x" },
  "a date": new Date(0),
  bytes: Uint8Array.of(1),
  "a map": new Map([["a", "b"]]),
  "a function": () => "x",
  "a big integer": 1n,
};
for (const [title, value] of Object.entries(WITHOUT_CANONICAL_FORM)) {
  t.test(`canonical JSON is refused: ${title}`, async (t) => {
    t.throws(() => canonicalJson(value as Json), TypeError);
  });
}

t.test(
  "of a statement's fields what means nothing drops: from members, bottom-up, and never from arrays",
  async (t) => {
    t.equal(
      canonicalFields({ b: "", a: undefined, c: false, d: {}, e: [], f: { g: { h: [] } }, i: 0 }),
      '{"b":"","i":0}',
    );
    t.equal(canonicalFields({ a: [{}, [], { b: false }, { c: "d" }] }), '{"a":[{},[],{},{"c":"d"}]}');
    t.equal(canonicalFields({ a: {}, b: false }), "{}");
    for (const item of [undefined, false, null]) t.throws(() => canonicalFields({ a: [item] }), TypeError);
    for (const value of [null, 1.5, new Date(0), Uint8Array.of()])
      t.throws(() => canonicalFields({ value }), TypeError);
  },
);

function same(one: Uint8Array | null, other: Uint8Array): boolean {
  return one !== null && encodeHex(one) === encodeHex(other);
}

function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object") return value;
  const members = Object.entries(value).map(([name, member]): [string, Json] => [name, reversed(member)]);
  return Object.fromEntries(members.reverse());
}
