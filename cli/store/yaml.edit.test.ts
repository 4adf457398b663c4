import fc from "fast-check";
import t from "tap";
import { parse } from "yaml";
import { editDocument } from "./yaml.edit.js";
import { parseDocuments } from "./yaml.read.js";
import { renderManifest } from "./yaml.render.js";

const FILE = `# the shop's secrets
apiVersion: zopp.dev/v1alpha1   # do not edit by hand
kind: ZoppSecret
metadata: {name: api, namespace: shop-prod}

spec:
    environment: 'acme/shop/production'
    # what it becomes
    target:
        name: api-env
    data:
        # asked for by the shop team
        DB_PASSWORD:
            version: 20261120101112 # rotated
            by: zk1aaaaaaaaaaaaaaaa
            # two lines of ciphertext
            sealed: "AAAA"
            signature: BBBB
            to: zk1bbbbbbbbbbbbbbbb
        # the last one
        DB_USER: {version: 3, by: x, sealed: CCCC, signature: DDDD}
# end of file
---
apiVersion: v1
kind: ConfigMap
metadata:   {name: "other"}
`;

// biome-ignore lint/suspicious/noExplicitAny: tests reach into parsed YAML
type Any = any;
const valueAt = (text: string, at = 0): Any => structuredClone(parseDocuments(text)[at]?.toJS());
const linesThatDiffer = (a: string, b: string): string[] => {
  const had = new Set(a.split("\n"));
  return b.split("\n").filter((line) => !had.has(line));
};

t.test("editing one entry changes its lines and no other byte", (t) => {
  const next = valueAt(FILE);
  Object.assign(next.spec.data.DB_PASSWORD, { version: 20261121000000, sealed: "EEEE", signature: "FFFF" });
  const edited = editDocument(FILE, 0, next, "api.yaml");
  const expected = FILE.replace("20261120101112", "20261121000000").replace('"AAAA"', '"EEEE"').replace("BBBB", "FFFF");
  t.equal(edited, expected);
  t.end();
});

t.test("a new entry goes to its sorted place, before the comments of the next one", (t) => {
  const next = valueAt(FILE);
  const { DB_PASSWORD, DB_USER } = next.spec.data;
  next.spec.data = { DB_PASSWORD, DB_PORT: { version: 1, by: "x", sealed: "GGGG" }, DB_USER };
  const edited = editDocument(FILE, 0, next, "api.yaml");
  t.same(linesThatDiffer(FILE, edited), [
    "        DB_PORT:",
    "          version: 1",
    "          by: x",
    "          sealed: GGGG",
  ]);
  t.ok(edited.indexOf("DB_PORT") < edited.indexOf("# the last one"));
  t.ok(edited.indexOf("DB_PORT") > edited.indexOf("zk1bbbb"));
  t.end();
});

t.test("a first entry, one before all others, and one after all others each find their place", (t) => {
  const next = valueAt(FILE);
  next.spec.data = { A: { version: 1 }, ...next.spec.data, Z: { version: 2 } };
  const edited = editDocument(FILE, 0, next, "api.yaml");
  t.same(Object.keys(valueAt(edited).spec.data), ["A", "DB_PASSWORD", "DB_USER", "Z"]);
  t.match(edited, "data:\n        A:\n          version: 1\n        # asked for");
  t.match(edited, "signature: DDDD}\n        Z:\n          version: 2\n# end of file");
  const empty = "kind: ZoppSecret\nspec:\n  x: 1 # y\n";
  t.equal(
    editDocument(empty, 0, { kind: "ZoppSecret", spec: { x: 1, data: { A: { v: 1 } } } }, "f"),
    "kind: ZoppSecret\nspec:\n  x: 1 # y\n  data:\n    A:\n      v: 1\n",
  );
  t.end();
});

t.test("a field that goes takes only its line, in block and in flow", (t) => {
  const next = valueAt(FILE);
  delete next.spec.data.DB_PASSWORD.sealed;
  delete next.spec.data.DB_PASSWORD.to;
  delete next.spec.data.DB_USER.sealed;
  const edited = editDocument(FILE, 0, next, "api.yaml");
  const expected = FILE.replace('            sealed: "AAAA"\n', "")
    .replace("            to: zk1bbbbbbbbbbbbbbbb\n", "")
    .replace("sealed: CCCC, ", "");
  t.equal(edited, expected);
  t.end();
});

t.test("windows line ends and a missing last newline are kept", (t) => {
  const crlf = FILE.replaceAll("\n", "\r\n")
    .replace(/---[\s\S]*$/, "")
    .trimEnd();
  const next = valueAt(crlf);
  next.spec.data.DB_PASSWORD.version = 7;
  next.spec.data.NEW = { version: 1 };
  const edited = editDocument(crlf, 0, next, "api.yaml");
  t.same(valueAt(edited), next);
  t.equal(edited.replaceAll("\r\n", "").includes("\n"), false);
  t.equal(edited.endsWith("# end of file"), true);
  t.end();
});

t.test("the second document of a file is edited alone", (t) => {
  const edited = editDocument(FILE, 1, { ...valueAt(FILE, 1), data: { a: "b" } }, "api.yaml");
  t.ok(edited.startsWith(FILE));
  t.same(valueAt(edited, 1).data, { a: "b" });
  t.end();
});

t.test("lists keep the items that stay, with their comments", (t) => {
  const list =
    "spec:\n  signatures:\n  # alice's\n  - {by: a, value: x}\n  - by: b # bob\n    value: w\n  names: [a, b]\n";
  const cases: [string, Any, string][] = [
    [
      "an item in front",
      {
        signatures: [
          { by: "m", value: "z" },
          { by: "a", value: "x" },
          { by: "b", value: "w" },
        ],
        names: ["a", "b"],
      },
      "  - by: m\n    value: z\n  # alice's\n  - {by: a, value: x}\n  - by: b # bob\n",
    ],
    [
      "an item at the end",
      {
        signatures: [
          { by: "a", value: "x" },
          { by: "b", value: "w" },
          { by: "m", value: "z" },
        ],
        names: ["a", "b"],
      },
      "  - by: b # bob\n    value: w\n  - by: m\n    value: z\n",
    ],
    [
      "an item less",
      { signatures: [{ by: "b", value: "w" }], names: ["a", "b"] },
      "signatures:\n  # alice's\n  - by: b # bob\n",
    ],
    [
      "a changed item",
      {
        signatures: [
          { by: "a", value: "q" },
          { by: "b", value: "r" },
        ],
        names: ["a", "b", "c"],
      },
      "  - {by: a, value: q}\n  - by: b # bob\n    value: r\n  names: [a, b, c]\n",
    ],
  ];
  for (const [title, spec, expected] of cases) {
    const edited = editDocument(list, 0, { spec }, "f");
    t.ok(edited.includes(expected), `${title}:\n${edited}`);
    t.same(valueAt(edited), { spec }, title);
  }
  t.end();
});

t.test("unusual layouts are still edited, and nothing else is lost", (t) => {
  const cases: [string, string][] = [
    ["flow all through", "{kind: X, spec: {data: {A: {version: 1}}}} # c\n"],
    ["json", '{"kind": "X",\n "spec": {\n  "data": {"A": {"version": 1}}}}\n'],
    ["explicit keys", "? kind\n: X\n? spec\n: data:\n    A:\n      version: 1\n"],
    ["an empty map above", "kind: X\nspec:\n  data:\n    A: {version: 1}\n  more:\n"],
    ["an anchor", "kind: X\nspec:\n  data:\n    A: &a\n      version: 1\n"],
    ["directives", "%YAML 1.1\n---\nkind: X\nspec:\n  data:\n    A:\n      version: 1\n...\n"],
  ];
  for (const [title, text] of cases) {
    const next = valueAt(text);
    next.spec.data.A.version = 2;
    next.spec.data.B = { version: 3, sealed: "x" };
    t.same(valueAt(editDocument(text, 0, next, "f")), next, title);
  }
  t.end();
});

t.test("an aliased entry is not edited into its twin", (t) => {
  const text = "spec:\n  data:\n    A: &a\n      version: 1\n    B: *a\n";
  const next = { spec: { data: { A: { version: 2 }, B: { version: 1 } } } };
  t.throws(() => editDocument(text, 0, next, "f"), { code: "Malformed", message: /^f: this layout/ });
  t.end();
});

const scalar = fc.oneof(
  fc.string(),
  fc.constantFrom(
    "NO",
    "on",
    "y",
    "2027-02-18T00:00:00Z",
    "0o14",
    "1e5",
    "~",
    "",
    "012",
    "1:30",
    "=",
    "<<",
    "null",
    "a: b",
    "# x",
    "- a",
    "0x1f",
    "x\ny\n",
  ),
  fc.integer(),
);
const key = fc.stringMatching(/^[-._a-zA-Z0-9]{1,12}$/).filter((text) => text !== "__proto__");

t.test("whatever string is written stays that string in YAML 1.1 and 1.2", (t) => {
  fc.assert(
    fc.property(fc.dictionary(key, scalar, { noNullPrototype: true }), (values) => {
      const text = renderManifest(values);
      for (const version of ["1.1", "1.2"] as const) t.strictSame(parse(text, { version }), values);
    }),
    { numRuns: 300 },
  );
  t.end();
});

const entry = fc.record({
  version: fc.integer({ min: 1 }),
  by: fc.stringMatching(/^zk1[a-z2-7]{16}$/),
  sealed: fc.base64String({ minLength: 4 }),
  signature: fc.base64String({ minLength: 4 }),
});
const comment = fc.stringMatching(/^[ a-z:{}-]{0,20}$/);

/** A file with one line per field and comments between them, and where each entry's lines are. */
const layout = fc.record({
  entries: fc.dictionary(key, fc.tuple(entry, comment, comment), { minKeys: 1, maxKeys: 6, noNullPrototype: true }),
  indent: fc.constantFrom(1, 2, 4),
  crlf: fc.boolean(),
});

t.test("editing one key leaves every other byte of the file identical", (t) => {
  fc.assert(
    fc.property(layout, fc.nat(), entry, ({ entries, indent, crlf }, pick, changed) => {
      const pad = " ".repeat(indent);
      const blocks = Object.entries(entries).map(([name, [facts, above, inside]]) => [
        `${pad}#${above}`,
        `${pad}${JSON.stringify(name)}:`,
        `${pad}${pad}#${inside}`,
        ...Object.entries(facts).map(([field, value]) => `${pad}${pad}${field}: ${JSON.stringify(value)} #${above}`),
      ]);
      const chosen = pick % blocks.length;
      const join = (lines: string[]): string => lines.join(crlf ? "\r\n" : "\n");
      const text = join(["data:", ...blocks.flat(), "# end", ""]);
      const value = valueAt(text);
      value.data[Object.keys(entries)[chosen] ?? ""] = changed;
      const edited = editDocument(text, 0, value, "f");
      const before = join(["data:", ...blocks.slice(0, chosen).flat()]);
      const after = join([...blocks.slice(chosen + 1).flat(), "# end", ""]);
      if (!edited.startsWith(before) || !edited.endsWith(after)) return false;
      const comments = (all: string): string[] => all.match(/#.*/g) ?? [];
      return (
        JSON.stringify(comments(edited)) === JSON.stringify(comments(text)) &&
        edited.split("\n").length === text.split("\n").length
      );
    }),
    { numRuns: 300 },
  );
  t.end();
});
