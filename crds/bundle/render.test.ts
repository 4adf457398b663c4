import t from "tap";
import { ZoppError } from "../errors.js";
import { MAX_RENDERED_BYTES, renderTemplates } from "./render.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const VALUES = new Map<string, Uint8Array>([
  ["USER", bytes("app")],
  ["PASSWORD", bytes("p@ss/w:rd!'()*")],
  ["NOTE", bytes('  he said "hi"\n')],
  ["BOM", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)],
  ["BINARY", Uint8Array.of(0xff, 0x00, 0x80)],
  ["BIG", bytes("x".repeat(MAX_RENDERED_BYTES))],
  ["WIDE", bytes("ü".repeat(MAX_RENDERED_BYTES / 2))],
]);

function render(template: string, key = "RESULT"): Uint8Array {
  const templates = { [key]: template };
  const given = { what: "shop/api", templates, values: VALUES, dataKeys: [...VALUES.keys(), "GONE"] };
  return renderTemplates(given).get(key) ?? bytes("(nothing)");
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
  "a result of exactly the limit passes": { given: "[[ BIG ]]", want: "x".repeat(MAX_RENDERED_BYTES) },
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
  "an open bracket is refused": { given: "a [[ USER", code: "RenderInvalid", says: "character 3 is never closed" },
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
  "a result over the limit is refused": { given: "[[ BIG ]]x", code: "TooLarge", says: "over 65536 bytes" },
  "the limit counts bytes, not characters": { given: "[[ WIDE ]]x", code: "TooLarge", says: "over 65536 bytes" },
  "many repetitions stop at the limit": { given: "[[ BIG ]]".repeat(1000), code: "TooLarge", says: "over 65536 bytes" },
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
