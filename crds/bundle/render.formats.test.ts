// What filters and formats write, taken back by those that it is for: nothing but the very values, or a refusal.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import fc from "fast-check";
import t from "tap";
import { parse } from "yaml";
import { ZoppError } from "../errors.js";
import { renderTemplates } from "./render.js";

type Values = Readonly<Record<string, string>>;

/** What a template makes of a bundle with these values. */
function render(values: Readonly<Record<string, string | Uint8Array>>, template: string): string {
  const bytes = Object.entries(values).map(
    ([key, value]) => [key, typeof value === "string" ? Buffer.from(value) : value] as const,
  );
  const entries = Object.fromEntries([...bytes.map(([key]) => [key, {}]), ["GONE", { retired: true }]]);
  const rendered = renderTemplates({ what: "shop/api", templates: { "": template }, entries, values: new Map(bytes) });
  return Buffer.from(rendered.get("") ?? []).toString();
}

/** Any text, with what quoting has to do with more often than by chance. */
const TEXT = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(..."ab =:#!'\"`$\\\n\r\t\f\0\u0085\u00a0\u2028\ufeff\u{1f600}") }),
);
const KEY = fc.stringMatching(/^[-._a-zA-Z0-9]{1,20}$/).filter((key) => !/^[.]([.]|$)|^(GONE|__proto__)$/.test(key));
/** Names of variables that no shell gives a meaning. */
const VARIABLE = fc.stringMatching(/^K_[A-Za-z0-9_]{1,8}$/);
const values = (key: fc.Arbitrary<string>) => fc.dictionary(key, TEXT, { noNullPrototype: true });

t.test("json gives all values to JSON.parse", async (t) => {
  fc.assert(fc.property(values(KEY), (given) => t.strictSame(JSON.parse(render(given, "[[ * | json ]]")), given)));
});

t.test("binary values come back through base64, which each value goes through before the format", async (t) => {
  const bytes = fc.dictionary(KEY, fc.uint8Array(), { noNullPrototype: true });
  fc.assert(
    fc.property(bytes, (given) => {
      const texts = Object.entries(given).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
      return t.strictSame(JSON.parse(render(given, "[[ * | base64 | json ]]")), Object.fromEntries(texts));
    }),
  );
});

t.test("properties give all values to a reader that keeps the rules of java.util.Properties", async (t) => {
  fc.assert(
    fc.property(values(KEY), (given) =>
      t.strictSame(javaProperties(Buffer.from(render(given, "[[ * | properties ]]"))), given),
    ),
  );
});

t.test("yaml-quoted gives the value to readers of YAML 1.1 and 1.2, in block and in flow", async (t) => {
  fc.assert(
    fc.property(TEXT, (given) => {
      const text = render({ A: given }, "plain: [[ A | yaml-quoted ]]\nlist: [x, [[ A | yaml-quoted ]]]\n");
      const quoted = render({ A: given }, "[[ A | yaml-quoted ]]");
      t.equal(text, `plain: ${quoted}\nlist: [x, ${quoted}]\n`);
      for (const version of ["1.1", "1.2"] as const) {
        t.strictSame(parse(text, { version }), { plain: given, list: ["x", given] });
      }
    }),
  );
});

/** What readers of dotenv files and shells take in different ways, or drop. */
const unfit = (value: string): boolean =>
  /[\0\r]/.test(value) || value.endsWith("\\") || (value.includes("'") && /["$`\\]/.test(value));

t.test("dotenv gives all values to Node and to shells alike, and refuses those that it cannot give", async (t) => {
  const told = { given: 0, refused: 0 };
  const node = fc.property(values(VARIABLE), (given) => {
    const bad = Object.keys(given)
      .sort()
      .find((key) => unfit(given[key] ?? ""));
    told[bad === undefined ? "given" : "refused"] += 1;
    if (bad === undefined) return t.strictSame({ ...parseEnv(render(given, "[[ * | dotenv ]]")) }, given);
    const wanted = { code: "RenderInvalid", message: new RegExp(`: ${bad} `) };
    return t.throws(() => render(given, "[[ * | dotenv ]]"), wanted) !== false;
  });
  fc.assert(node);
  t.ok(told.given > 10 && told.refused > 10, JSON.stringify(told));
  // a shell takes its time to start: few files, of many values each
  const file = join(t.testdir(), "env");
  const shells = fc.property(fc.array(TEXT, { minLength: 100, maxLength: 200 }), (texts) => {
    const given = Object.fromEntries(texts.filter((text) => !unfit(text)).map((text, at) => [`K_${at}`, text]));
    writeFileSync(file, render(given, "[[ * | dotenv ]]"));
    return ["sh", "bash"].every((shell) => t.strictSame(sourced(shell, file), given, shell));
  });
  fc.assert(shells, { numRuns: 5, endOnFailure: true });
});

t.test("what needs no quotes has none, for readers that know none", async (t) => {
  t.equal(render({ B: "a.b/c:8,d@e%+=-", A: "" }, "[[ * | dotenv ]]"), "A=''\nB=a.b/c:8,d@e%+=-\n");
});

t.test(
  "all values stand in the order of their keys, without those that are retired and without what is rendered",
  async (t) => {
    const given = { b: "2", "10": "ten", "9": "nine", A: "1" };
    t.equal(render(given, "# [[ * | json ]]"), '# {"10":"ten","9":"nine","A":"1","b":"2"}');
    t.equal(render(given, "[[ * | properties ]]"), "10=ten\n9=nine\nA=1\nb=2\n");
    t.equal(render({}, "[[ * | json ]][[ * | dotenv ]]"), "{}");
  },
);

t.test("the text of a format goes through what comes after it", async (t) => {
  t.equal(render({ A: "x" }, "[[ * | json | base64 ]]"), Buffer.from('{"A":"x"}').toString("base64"));
  t.equal(render({ A: " x " }, "[[ * | trim | json | json ]]"), '"{\\"A\\":\\"x\\"}"');
});

const REFUSED: Readonly<
  Record<string, readonly [value: string | Uint8Array, says: string, formats: readonly string[]]>
> = {
  "bytes that are no text": [Uint8Array.of(0xff), "TOKEN is not UTF-8 text", ["dotenv", "json", "properties"]],
  "a NUL": ["hunter2\0", "TOKEN holds a NUL or carriage return", ["dotenv"]],
  "a carriage return": ["hunter2\r\nb", "TOKEN holds a NUL or carriage return", ["dotenv"]],
  "a backslash at the end": ["hunter2\\", "TOKEN ends with a backslash", ["dotenv"]],
  "two kinds of quotes": ["hunter2'\"", "TOKEN holds a ' and one of", ["dotenv"]],
};
for (const [title, [value, says, formats]] of Object.entries(REFUSED)) {
  t.test(`${title}: refused, naming the key and not the value`, async (t) => {
    for (const format of formats) {
      const error = t.throws(() => render({ A: "a", TOKEN: value }, `all:\n[[ * | ${format} ]]`)) as unknown;
      t.ok(error instanceof ZoppError);
      t.equal((error as ZoppError).code, "RenderInvalid");
      t.ok((error as ZoppError).message.startsWith(`bundle shop/api: spec.render., line 2, character 1: ${says}`));
      t.notMatch((error as ZoppError).message, "hunter2");
    }
  });
}

t.test("a key that is no name of a variable is refused in dotenv", async (t) => {
  for (const key of ["tls.crt", "a-b", "1A", "a.b"]) {
    t.throws(() => render({ [key]: "x" }, "[[ * | dotenv ]]"), {
      message: new RegExp(`: ${key} is no name that dotenv`),
    });
  }
});

/** The variables that a shell has after it read the file, but those that it has anyway. */
function sourced(shell: string, file: string): Values {
  const script = 'set -a; . "$1"; exec /usr/bin/env -0';
  const { stdout, stderr, status } = spawnSync(shell, ["-c", script, shell, file], {
    env: { PATH: process.env["PATH"] },
  });
  if (status !== 0) throw new Error(`${shell}: ${stderr.toString()}`);
  const pairs = stdout
    .toString()
    .split("\0")
    .slice(0, -1)
    .map((pair) => pair.split(/=(.*)/s, 2) as [string, string]);
  return Object.fromEntries(pairs.filter(([key]) => key.startsWith("K_")));
}

/** `Properties.load(InputStream)` as its documentation tells it: ISO 8859-1, logical lines, separators, escapes. */
function javaProperties(bytes: Buffer): Values {
  const read: Record<string, string> = {};
  let logical = "";
  for (const natural of bytes.toString("latin1").split(/\r\n|[\r\n]/)) {
    const line = natural.replace(/^[ \t\f]+/, "");
    if (logical === "" && (line === "" || /^[#!]/.test(line))) continue;
    logical += line;
    if (/(?<!\\)(\\\\)*\\$/.test(line)) {
      logical = logical.slice(0, -1);
      continue;
    }
    const [, key = "", value = ""] = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*(?:[=:][ \t\f]*)?(.*)$/s.exec(logical) ?? [];
    read[unescaped(key)] = unescaped(value);
    logical = "";
  }
  return read;
}

function unescaped(text: string): string {
  const named: Values = { t: "\t", n: "\n", r: "\r", f: "\f" };
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|(.))/gs, (_, unit: string | undefined, one: string) =>
    unit === undefined ? (named[one] ?? one) : String.fromCharCode(Number.parseInt(unit, 16)),
  );
}
