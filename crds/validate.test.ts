import t from "tap";
import { type Path, PROBLEM, refusalOf, refusesEach } from "../hack/field-table.js";
import { authorOf, baseline } from "../hack/fixtures.baseline.js";
import { acme, bundle, production, world } from "../hack/fixtures.js";
import type { ZoppSecret } from "./types.gen.js";
import { parseAuditSegment, parseBaseline, parseLedger, parseObject, parseSecret } from "./validate.js";

const KEY = "DB_PASSWORD";
const secret = bundle(
  world().environment,
  { [KEY]: "a value", constructor: "fine" },
  { target: { labels: { a: "b" } } },
);

t.test("all bad fields are named at once, the first five in the message, and no value", async (t) => {
  const keys = ["a", "b", "c", "d", "e", "f"];
  const bad = { ...secret, spec: { ...secret.spec, ...Object.fromEntries(keys.map((key) => [key, "hunter2"])) } };
  t.strictSame(refusalOf(parseSecret, bad), {
    code: "Malformed",
    fields: keys.map((key) => `spec.${key} ${PROBLEM.unknown}`),
  });
  t.throws(() => parseSecret(bad), { message: /^ZoppSecret shop-prod\/api: spec\.a is not .* \(and 1 more\)$/ });
  const wrong = { ...secret, spec: { ...secret.spec, environment: "hunter2", restart: "hunter2", header: "hunter2" } };
  try {
    parseSecret(wrong);
    t.fail("it is refused");
  } catch (error) {
    t.notMatch(String(error), /hunter2/);
  }
});

t.test("names of unknown fields are cleaned before they are printed", async (t) => {
  const name = `a\n\u001b[31m${"x".repeat(1000)}`;
  const { fields } = refusalOf(parseSecret, { ...secret, [name]: 1 });
  t.match(fields, [/^a\?\??\?31mx{200,253} is not a field that zopp knows$/]);
});

t.test("a hundred thousand unknown fields are refused without delay", async (t) => {
  const strange = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`f${at}`, 1]));
  const before = performance.now();
  t.match(refusalOf(parseSecret, { ...secret, spec: strange }), { code: /TooLarge|Malformed/ });
  t.match(refusalOf(parseSecret, { ...secret, status: {}, ...strange }), { code: /TooLarge|Malformed/ });
  t.ok(performance.now() - before < 5_000);
});

t.test("a baseline is parsed as strictly", async (t) => {
  const other = bundle(world().environment, { A: "a" }, { name: "web" });
  const valid = baseline(world(), [bundle(world().environment, { A: "a" }), other], { authors: ["bob"] });
  const [first, second] = valid.spec.bundles;
  refusesEach(t, { parse: parseBaseline, valid }, [
    [
      "bundles out of order",
      ["spec", "bundles"],
      [second, first],
      ["spec.bundles.1 does not come after the one before"],
    ],
    ["a bundle twice", ["spec", "bundles"], [first, first], ["spec.bundles.1 does not come after the one before"]],
    [
      "another name",
      ["metadata", "name"],
      "acme.shop.dev",
      ["metadata.name is not workspace.project.environment of spec"],
    ],
    [
      "a key twice",
      ["spec", "authors"],
      [authorOf("bob"), { ...authorOf("bob"), name: "carol" }],
      ["spec.authors.1.signingKey stands there twice"],
    ],
    ["an unknown field", ["spec", "until"], 1, [`spec.until ${PROBLEM.unknown}`]],
  ]);
});

t.test("keyrings' objects are parsed as strictly", async (t) => {
  const zeros = "0".repeat(64);
  const { signature } = secret.spec.header;
  const metadata = { name: "log-1-000000000000", namespace: "zopp-system" };
  const object = { apiVersion: "zopp.dev/v1alpha1", metadata };
  const segment = { log: "log-1", first: 0, count: 1, previous: zeros, hash: zeros, records: "AAAA", signature };
  const ledger = { log: "log-1", kind: "Places", name: "0", through: 1, content: "AAAA", signature };
  const namespace: Path = ["metadata", "namespace"];
  refusesEach(t, { parse: parseAuditSegment, valid: { ...object, kind: "ZoppAuditSegment", spec: segment } }, [
    ["records that are not canonical", ["spec", "records"], "AAA", [`spec.records ${PROBLEM.base64}`]],
    [
      "records over 256 KiB",
      ["spec", "records"],
      "A".repeat(349532),
      ["spec.records is above the limit of 349528 characters"],
      "TooLarge",
    ],
    ["no records", ["spec", "count"], 0, ["spec.count is below the limit of 1"]],
    ["a status", ["status"], {}, [`status ${PROBLEM.unknown}`]],
    ["no namespace", namespace, undefined, ["metadata.namespace is missing"]],
  ]);
  refusesEach(t, { parse: parseLedger, valid: { ...object, kind: "ZoppLedger", spec: ledger } }, [
    ["content that is not canonical", ["spec", "content"], "AB==", [`spec.content ${PROBLEM.base64}`]],
    ["a part of no kind", ["spec", "kind"], "Other", ["spec.kind is not one of Places, Policy, Head"]],
    ["no namespace", namespace, undefined, ["metadata.namespace is missing"]],
  ]);
  const largest = { ...object, kind: "ZoppLedger", spec: { ...ledger, content: "A".repeat(1_048_576) } };
  t.strictSame(refusalOf(parseLedger, largest), { fields: [] }, "a policy of the largest size is kept whole");
});

t.test("an object is parsed by its kind, and other kinds and versions are told from malformed ones", async (t) => {
  for (const object of [acme(), production(), secret]) t.same(parseObject(object), object);
  const others = [
    { ...acme(), apiVersion: "zopp.dev/v1" },
    { ...acme(), kind: "constructor" },
    { kind: "Secret" },
    null,
    1,
    [],
  ];
  for (const value of others) t.strictSame(refusalOf(parseObject, value), { code: "UnknownVersion", fields: [] });
});

t.test("what is parsed is a copy of its own: frozen, and out of reach of later changes", async (t) => {
  const given = structuredClone(secret) as ZoppSecret & { readonly spec: { readonly data: object } };
  const parsed = parseSecret(Object.freeze(given));
  t.same(parsed, secret);
  const entry = parsed.spec.data?.[KEY] as { version: number };
  t.throws(() => Object.assign(entry, { version: 1 }), TypeError);
  t.throws(() => Object.assign(parsed.spec.data ?? {}, { NEW: entry }), TypeError);
  Object.assign(given.spec.data, { [KEY]: {} });
  t.same(parsed, secret, "a shallow freeze of the original makes no difference");
  t.notOk(Object.isFrozen(given.spec), "the original is left as it was");
});

t.test("a key named like something that objects inherit is there only if somebody wrote it", async (t) => {
  const { data, target } = parseSecret(secret).spec;
  t.equal(data?.["constructor"]?.version, secret.spec.data?.["constructor"]?.version);
  t.equal(data?.["toString"], undefined);
  t.equal(target?.labels?.["constructor"], undefined);
});

t.test("cycles, depth and growth by aliases are refused", async (t) => {
  const cycle: Record<string, unknown> = {};
  cycle["again"] = cycle;
  t.equal(refusalOf(parseSecret, { ...secret, status: cycle }).code, "Malformed");
  let many: unknown = "lol";
  for (let depth = 0; depth < 20; depth += 1) many = Array(10).fill(many);
  t.equal(refusalOf(parseSecret, { ...secret, status: { many } }).code, "TooLarge");
});

t.test("only plain data is taken", async (t) => {
  class Entry {
    readonly version = 1;
  }
  const strange = [new Entry(), () => 1, Symbol("s"), 1n, new Map(), Number.NaN, new Uint8Array(2)];
  for (const value of strange) {
    const { fields } = refusalOf(parseSecret, { ...secret, status: { value } });
    t.strictSame(fields, ["status.value is not plain data"]);
  }
  t.strictSame(refusalOf(parseSecret, { ...secret, status: { list: [undefined] } }).fields, [
    "status.list.0 is absent",
  ]);
});
