import t from "tap";
import { unsigned } from "../../hack/fixtures.bundle.js";
import { ZoppError } from "../errors.js";
import { renderedFrom, renderTemplates, templateProblems } from "./render.js";
import { MAX_FILTERS, MAX_PLACEHOLDERS } from "./render.parse.js";
import { MAX_SECRET_BYTES } from "./target.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const VALUES = new Map<string, Uint8Array>([
  ["USER", bytes("app")],
  ["PASSWORD", bytes("p@ss/w:rd!'()*")],
  ["NOTE", bytes('  he said "hi"\n')],
  ["BOM", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)],
  ["BINARY", Uint8Array.of(0xff, 0x00, 0x80)],
  ["BIG", bytes("x".repeat(MAX_SECRET_BYTES))],
  ["WIDE", bytes("ü".repeat(MAX_SECRET_BYTES / 2))],
  ["QUOTES", bytes('"'.repeat(64 * 1024))],
  ["BLANK", bytes(" ".repeat(64 * 1024))],
]);
/** Of the entries one is retired, and one cannot be read by whoever renders. */
const ENTRIES = {
  ...Object.fromEntries([...VALUES.keys(), "WITHHELD"].map((key) => [key, {}])),
  GONE: { retired: true },
};

function render(template: string, key = "RESULT"): Uint8Array {
  return renderAll({ [key]: template }).get(key) ?? bytes("(nothing)");
}

function renderAll(templates: Readonly<Record<string, string>>): Map<string, Uint8Array> {
  return renderTemplates({ what: "shop/api", templates, values: VALUES, entries: ENTRIES });
}

const RENDERS: Record<string, { given: string; want: string }> = {
  "text without brackets stays as it is": { given: "a ] b [ c {{ d }}", want: "a ] b [ c {{ d }}" },
  "an empty template gives an empty value": { given: "", want: "" },
  "a key is replaced by its value": { given: "user=[[ USER ]];", want: "user=app;" },
  "spaces within the brackets do not matter": { given: "[[USER]][[  USER  |trim]]", want: "appapp" },
  "urlencode leaves unreserved characters only": {
    given: "[[ PASSWORD | urlencode ]]",
    want: "p%40ss%2Fw%3Ard%21%27%28%29%2A",
  },
  "json quotes": { given: "{note: [[ NOTE | json ]]}", want: '{note: "  he said \\"hi\\"\\n"}' },
  "filters are applied in order": { given: "[[ NOTE | trim | json ]]", want: '"he said \\"hi\\""' },
  "base64 takes binary values": { given: "[[ BINARY | base64 ]]", want: "/wCA" },
  "what a value holds is not rendered again": { given: "[[ USER | base64 ]] ]]", want: "YXBw ]]" },
  "a literal writes the brackets": { given: '[[ "[[" ]]servers]]', want: "[[servers]]" },
  "a byte order mark stays": { given: "[[ BOM ]]", want: "\ufeffa" },
  "a result of exactly the limit passes": { given: "[[ BIG ]]", want: "x".repeat(MAX_SECRET_BYTES) },
  "yaml-quoted gives one line that YAML reads as text, never as a number, a date or a line break": {
    given: "[[ NOTE | yaml-quoted ]] [[ BOM | yaml-quoted ]]",
    want: '"  he said \\"hi\\"\\n" "\\ufeffa"',
  },
  "as many placeholders as there may be": {
    given: "[[USER]]".repeat(MAX_PLACEHOLDERS),
    want: "app".repeat(MAX_PLACEHOLDERS),
  },
  "as many filters as there may be": { given: `[[ USER ${"| trim ".repeat(MAX_FILTERS)}]]`, want: "app" },
};
for (const [title, { given, want }] of Object.entries(RENDERS)) {
  t.test(title, async (t) => t.strictSame(render(given), bytes(want)));
}

const REFUSALS: Record<string, { given: string; code: string; says: string; key?: string }> = {
  "an unknown key is refused": { given: "[[ NOBODY ]]", code: "RenderInvalid", says: "no value for NOBODY" },
  "a retired key has no value": { given: "[[ GONE ]]", code: "RenderInvalid", says: "no value for GONE" },
  "an unknown filter is refused": { given: "[[ USER | shell ]]", code: "RenderInvalid", says: "unknown filter" },
  "names of object methods are no filters": {
    given: "[[ USER | toString ]]",
    code: "RenderInvalid",
    says: "unknown filter",
  },
  "an empty filter is refused": { given: "[[ USER | ]]", code: "RenderInvalid", says: "unknown filter" },
  "an open bracket is refused, and where it stands": {
    given: "a\nb [[ USER",
    code: "RenderInvalid",
    says: 'bundle shop/api: spec.render.RESULT, line 2, character 3: this "[[" is never closed',
  },
  "what cannot be read says where it stands": {
    given: "[[ USER ]]\n\n  [[ USER | trim ]] [[ USER | shell ]]",
    code: "RenderInvalid",
    says: "bundle shop/api: spec.render.RESULT, line 3, character 21: USER has an unknown filter",
  },
  "a value that the reader was not given is refused": {
    given: "[[ WITHHELD ]]",
    code: "RenderInvalid",
    says: "WITHHELD has no value here",
  },
  "a filter of a literal is refused": { given: '[[ "[[" | trim ]]', code: "RenderInvalid", says: "no key name" },
  "all values without a format are refused": {
    given: "[[ * | base64 ]]",
    code: "RenderInvalid",
    says: "* stands for all values, and needs a format (there are dotenv, json, properties)",
  },
  "a format of one value is refused": {
    given: "[[ USER | dotenv ]]",
    code: "RenderInvalid",
    says: "dotenv is a format of all values, as in [[ * | dotenv ]]; USER is one",
  },
  "two formats are refused": {
    given: "[[ * | json | dotenv ]]",
    code: "RenderInvalid",
    says: "* has an unknown filter",
  },
  "all values are refused where the reader was not given one of them": {
    given: "[[ * | base64 | json ]]",
    code: "RenderInvalid",
    says: "WITHHELD has no value here",
  },
  "nothing between the brackets is refused": { given: "[[ ]]", code: "RenderInvalid", says: "no key name" },
  "logic is refused": { given: "[[ if USER ]]", code: "RenderInvalid", says: "no key name" },
  "a binary value in text is refused": { given: "[[ BINARY ]]", code: "RenderInvalid", says: "BINARY is not UTF-8" },
  "a binary value is refused by text filters": {
    given: "[[ BINARY | json ]]",
    code: "RenderInvalid",
    says: "not UTF-8",
  },
  "a template named like a data key is refused": {
    given: "x",
    key: "USER",
    code: "RenderInvalid",
    says: "spec.render.USER has the name",
  },
  "a template named like a retired key is refused": {
    given: "x",
    key: "GONE",
    code: "RenderInvalid",
    says: "has the name",
  },
  "a result over the limit is refused": { given: "[[ BIG ]]x", code: "TooLarge", says: "over 1048576 bytes" },
  "the limit counts bytes, not characters": { given: "[[ WIDE ]]x", code: "TooLarge", says: "over 1048576 bytes" },
  "many repetitions stop at the limit": {
    given: "[[ BIG ]]".repeat(500),
    code: "TooLarge",
    says: "over 1048576 bytes",
  },
  "too many placeholders are refused": {
    given: "[[USER]]".repeat(MAX_PLACEHOLDERS + 1),
    code: "TooLarge",
    says: "spec.render.RESULT has more than 512 placeholders",
  },
  "too many filters are refused": {
    given: `[[ USER ${"| trim ".repeat(MAX_FILTERS + 1)}]]`,
    code: "RenderInvalid",
    says: "USER goes through more than 8 filters",
  },
  "filters that make much of little are stopped": {
    given: `[[ QUOTES ${"| json ".repeat(MAX_FILTERS)}]]`,
    code: "TooLarge",
    says: "its filters are given too much",
  },
  "filters that make nothing of much, again and again, are stopped": {
    given: "[[ BLANK | trim ]]".repeat(MAX_PLACEHOLDERS),
    code: "TooLarge",
    says: "its filters are given too much",
  },
};
for (const [title, { given, code, says, key }] of Object.entries(REFUSALS)) {
  t.test(title, async (t) => {
    const error = t.throws(() => render(given, key));
    t.ok(error instanceof ZoppError);
    t.match(error, { code });
    t.ok(String((error as unknown as Error).message).includes(says), `says: ${(error as unknown as Error).message}`);
    t.notMatch((error as unknown as Error).message, /p@ss|he said|xxx/, "and no value");
  });
}

t.test("the limits hold for all templates of a bundle together", async (t) => {
  t.equal(renderAll({ A: "[[ USER ]]", B: "[[ USER ]]" }).size, 2);
  t.throws(() => renderAll({ A: "[[ BIG ]]", B: "[[ USER ]]" }), {
    code: "TooLarge",
    message: /spec\.render\.B: with it/,
  });
  const much = "[[ BLANK | trim ]]".repeat(MAX_PLACEHOLDERS / 4);
  t.equal(renderAll({ A: much }).size, 1);
  t.throws(() => renderAll({ A: much, B: much, C: much }), { code: "TooLarge" });
});

t.test("what is wrong with templates is told without values, for each of them", async (t) => {
  const entry = { version: 1, by: "zk1", signature: "", sealed: "" };
  const problems = (render: object) =>
    templateProblems(unsigned({ data: { A: entry, "b.c": entry, GONE: { ...entry, retired: true } }, render }));
  t.strictSame(problems({ X: '[[ A | base64 ]][[ "[[" ]]', Y: "[[ * | json ]][[ * | properties ]]", Z: "" }), []);
  t.strictSame(templateProblems(unsigned({})), []);
  const found = problems({ X: "[[ A ]]", Y: "[[ GONE ]]", Z: "\n[[ * | dotenv ]]" });
  t.strictSame(
    found.map(({ code, message }) => `${code} ${message}`),
    [
      "RenderInvalid bundle shop/api: spec.render.Y, line 1, character 1: the bundle has no value for GONE",
      "RenderInvalid bundle shop/api: spec.render.Z, line 2, character 1: b.c is no name that dotenv can hold",
    ],
  );
});

t.test("a value for the rotation's job alone is in no template", async (t) => {
  const entry = { version: 1, by: "zk1", signature: "", sealed: "" };
  const secret = unsigned({
    data: { ADMIN_URL: entry, HOST: entry },
    generate: { PASSWORD: { version: 1, kind: "uuid", previous: "PASSWORD_OLD" } },
    render: { ALL: "[[ * | dotenv ]]", ADMIN: "[[ ADMIN_URL ]]", ENCODED: "[[ ADMIN_URL | base64 ]]" },
    rotation: { image: "rotate", keys: ["ADMIN_URL"] },
  });
  const problems = templateProblems(secret).map(({ message }) => message);
  t.equal(problems.length, 2);
  t.match(problems[0], "spec.render.ADMIN, line 1, character 1: the bundle has no value for ADMIN_URL");
  t.match(problems[1], "spec.render.ENCODED, line 1, character 1: the bundle has no value for ADMIN_URL");
  const values = new Map(["ADMIN_URL", "HOST", "PASSWORD", "PASSWORD_OLD"].map((key) => [key, bytes(`its-${key}`)]));
  const templates = { ALL: "[[ * | dotenv ]]" };
  const rendered = renderTemplates({ what: "shop/api", templates, values, entries: renderedFrom(secret) }).get("ALL");
  t.equal(
    Buffer.from(rendered ?? []).toString(),
    `HOST=its-HOST\nPASSWORD=its-PASSWORD\nPASSWORD_OLD=its-PASSWORD_OLD\n`,
  );
});
