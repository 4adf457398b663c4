import t from "tap";
import {
  ABSENT,
  acceptsEach,
  changed,
  type Path,
  PROBLEM,
  refusalOf,
  refusesEach,
  withUnusedBit,
} from "../hack/field-table.js";
import { bundle, identityOf, withTombstone, world, writingBy } from "../hack/fixtures.js";
import { MAX_OBJECT_BYTES } from "./validate.copy.js";
import { parseSecret } from "./validate.js";

const { environment } = world();
const KEY = "DB_PASSWORD";
const written = bundle(
  environment,
  { [KEY]: "a value", "tls.crt": "another", constructor: "fine", NO: "1" },
  {
    target: {
      name: "api-env",
      type: "Opaque",
      labels: { "example.com/tier": "db" },
      annotations: { note: "any text" },
    },
    render: { URL: "[[ DB_PASSWORD ]]" },
    restart: "auto",
  },
);
const valid = withTombstone(written, "OLD", writingBy("alice", environment));
const secret = { parse: parseSecret, valid };
const DATA: Path = ["spec", "data"];
const ENTRY: Path = [...DATA, KEY];
const AT = `spec.data.${KEY}`;
const entry = valid.spec.data?.[KEY];
const { kid: KID } = identityOf("bob").signing.verifyKey;
const SIGNATURE = valid.spec.header.signature;
const TARGET: Path = ["spec", "target"];

t.test("a bundle is accepted", async (t) => {
  acceptsEach(t, secret, [
    ["without data", DATA, ABSENT],
    ["without target", TARGET, ABSENT],
    [
      "with everything that an API server adds",
      ["metadata", "managedFields"],
      [{ fieldsV1: { "f:spec": { ".": {} } } }],
    ],
    ["with an absent time of creation, as kubectl writes it", ["metadata", "creationTimestamp"], null],
    ["with a status of a later zopp", ["status"], { digest: "", novelty: { any: 1 } }],
    ["with a member that is undefined", [...ENTRY, "expires"], undefined],
    ["with an end in a leap year", [...ENTRY, "expires"], "2028-02-29T23:59:59Z"],
    ["with a type of another domain", [...TARGET, "type"], "example.com/db"],
    ["with an approval", [...ENTRY, "approvals"], { [KID]: SIGNATURE }],
    ["with the longest key", DATA, { ["k".repeat(253)]: entry }],
    ["with the version counted past a minute's end", [...ENTRY, "version"], 99991231235999],
  ]);
});

t.test("a bundle is refused for its place or for what it is", async (t) => {
  refusesEach(t, secret, [
    ["without its namespace", ["metadata", "namespace"], ABSENT, ["metadata.namespace is missing"]],
    ["in the namespace that means any", ["metadata", "namespace"], "*", [`metadata.namespace ${PROBLEM.form}`]],
    ["with the name that means any", ["metadata", "name"], "*", [`metadata.name ${PROBLEM.form}`]],
    ["without a spec", ["spec"], ABSENT, ["spec is missing"]],
    ["with an unknown field", ["spec", "floor"], 1, [`spec.floor ${PROBLEM.unknown}`]],
    ["with an unknown field beside spec", ["data"], {}, [`data ${PROBLEM.unknown}`]],
    ["of another kind", ["kind"], "ZoppEnvironment", ["kind is not ZoppSecret"]],
    ["of another version", ["apiVersion"], "zopp.dev/v1", ["apiVersion is not zopp.dev/v1alpha1"]],
    ["with a status that has no form", ["status"], { entries: "3" }, ["status.entries is not of the type integer"]],
    [
      "with a label of its own that is no text",
      ["metadata", "labels"],
      { a: 1 },
      ["metadata.labels.a is not of the type string"],
    ],
    ["that is a text", [], "text", ["the object is not an object"]],
    ["that is an array", [], [], ["the object is not an object"]],
    ["that is nothing", [], null, ["the object is not an object"]],
    ["with an environment of two parts", ["spec", "environment"], "acme/shop", [`spec.environment ${PROBLEM.form}`]],
    ["with an environment of dots", ["spec", "environment"], "acme/shop/a.b", [`spec.environment ${PROBLEM.form}`]],
    ["with a restart of its own", ["spec", "restart"], "always", ["spec.restart is not one of auto, none"]],
    ["with an array for the data", DATA, [], ["spec.data is not of the type object"]],
  ]);
});

t.test("a bundle is refused for a rule of a generated value", async (t) => {
  const PASSWORD = { version: 1, kind: "password", length: 32 };
  const GENERATE: Path = ["spec", "generate"];
  const at = (rule: object, key = "TOKEN") => ({ [key]: rule });
  acceptsEach(t, secret, [
    ["with a password", GENERATE, at(PASSWORD)],
    ["with the key of a tombstone", GENERATE, at(PASSWORD, "OLD")],
    ["with the key that every object has", GENERATE, at(PASSWORD, "toString")],
    ["with a key pair in two keys", GENERATE, at({ version: 1, kind: "rsa", bits: 2048, public: "TOKEN.pub" })],
  ]);
  refusesEach(t, secret, [
    ["for a sealed key", GENERATE, at(PASSWORD, KEY), [`spec.generate.${KEY} is a data key as well`]],
    ["for a rendered key", GENERATE, at(PASSWORD, "URL"), ["spec.generate.URL is a rendered key as well"]],
    ["for no key", GENERATE, at(PASSWORD, ".."), ["spec.generate... is not a key that a Secret can have"]],
    [
      "with the value before under its own key",
      GENERATE,
      at({ ...PASSWORD, previous: "TOKEN" }),
      ["spec.generate.TOKEN.previous is a generated key as well"],
    ],
    [
      "with the public half under a sealed key",
      GENERATE,
      at({ version: 1, kind: "ed25519", public: KEY }),
      ["spec.generate.TOKEN.public is a data key as well"],
    ],
    [
      "without a length",
      GENERATE,
      at({ version: 1, kind: "bytes" }),
      ["spec.generate.TOKEN.length is missing: the kind bytes needs it"],
    ],
    [
      "with a curve for a password",
      GENERATE,
      at({ ...PASSWORD, curve: "P-256" }),
      ["spec.generate.TOKEN.curve does not go with the kind password"],
    ],
    [
      "with a character twice",
      GENERATE,
      at({ ...PASSWORD, alphabet: "abca" }),
      ["spec.generate.TOKEN.alphabet holds a character twice"],
    ],
    [
      "that can be guessed",
      GENERATE,
      at({ ...PASSWORD, length: 10 }),
      ["spec.generate.TOKEN.length leaves less than 64 bits to guess"],
    ],
    [
      "of an unknown kind",
      GENERATE,
      at({ version: 1, kind: "pin" }),
      ["spec.generate.TOKEN.kind is not one of password, bytes, uuid, ed25519, ecdsa, rsa, certificate"],
    ],
    [
      "with an unknown field",
      GENERATE,
      at({ ...PASSWORD, seed: "x" }),
      [`spec.generate.TOKEN.seed ${PROBLEM.unknown}`],
    ],
    [
      "with a rotation in months",
      GENERATE,
      at({ ...PASSWORD, rotateEvery: "6M" }),
      [`spec.generate.TOKEN.rotateEvery ${PROBLEM.form}`],
    ],
  ]);
});

t.test("a bundle is refused for an entry", async (t) => {
  refusesEach(t, secret, [
    ["with an unknown field", [...ENTRY, "at"], "x", [`${AT}.at ${PROBLEM.unknown}`]],
    ["with null for a field", [...ENTRY, "expires"], null, [`${AT}.expires is not of the type string`]],
    ["with a text for a version", [...ENTRY, "version"], "1", [`${AT}.version is not of the type integer`]],
    ["with half a version", [...ENTRY, "version"], 1.5, [`${AT}.version is not of the type integer`]],
    ["with version 0", [...ENTRY, "version"], 0, [`${AT}.version is below the limit of 1`]],
    [
      "with a version past all years",
      [...ENTRY, "version"],
      2 ** 53,
      [`${AT}.version is above the limit of 99991231235999`],
    ],
    ["with an infinite version", [...ENTRY, "version"], Number.POSITIVE_INFINITY, [`${AT}.version is not plain data`]],
    ["without an environment key", [...ENTRY, "to"], ABSENT, [`${AT}.to does not go with sealed`]],
    [
      "with an environment key for a tombstone",
      [...DATA, "OLD", "to"],
      KID,
      ["spec.data.OLD.to does not go with sealed"],
    ],
    ["with a retired value", [...ENTRY, "retired"], true, [`${AT} is neither sealed nor retired, or both`]],
    ["that is nothing", [...DATA, "OLD", "retired"], false, ["spec.data.OLD is neither sealed nor retired, or both"]],
    ["with a short sealed value", [...ENTRY, "sealed"], "AAAA", [`${AT}.sealed is below the limit of 184 characters`]],
    ["with a sealed value of an odd length", [...ENTRY, "sealed"], "A".repeat(185), [`${AT}.sealed ${PROBLEM.base64}`]],
    ["with a sealed value in other digits", [...ENTRY, "sealed"], "-".repeat(184), [`${AT}.sealed ${PROBLEM.base64}`]],
    [
      "with unused bits in a signature",
      [...ENTRY, "signature"],
      withUnusedBit(SIGNATURE),
      [`${AT}.signature ${PROBLEM.base64}`],
    ],
    ["with a line break after a kid", [...ENTRY, "by"], `${KID}\n`, [`${AT}.by is above the limit of 19 characters`]],
    ["with a line break in place of a digit", [...ENTRY, "by"], `${KID.slice(0, -1)}\n`, [`${AT}.by ${PROBLEM.form}`]],
    ["with an approval by no kid", [...ENTRY, "approvals"], { bob: SIGNATURE }, [`${AT}.approvals.bob is not a kid`]],
    [
      "with an approval that is not canonical",
      [...ENTRY, "approvals"],
      { [KID]: withUnusedBit(SIGNATURE) },
      [`${AT}.approvals.${KID} ${PROBLEM.base64}`],
    ],
    [
      "with an end that does not exist",
      [...ENTRY, "expires"],
      "2027-02-29T00:00:00Z",
      [`${AT}.expires ${PROBLEM.time}`],
    ],
    ["with an end after a day's end", [...ENTRY, "expires"], "2027-01-01T24:00:00Z", [`${AT}.expires ${PROBLEM.time}`]],
    ["with an end in another form", [...ENTRY, "expires"], "2027-01-01 00:00:00Z", [`${AT}.expires ${PROBLEM.form}`]],
    ["with a date for an end", [...ENTRY, "expires"], new Date(0), [`${AT}.expires is not plain data`]],
  ]);
});

t.test("a bundle is refused for its header, target or rendered keys", async (t) => {
  refusesEach(t, secret, [
    [
      "with unused bits in the signature",
      ["spec", "header", "signature"],
      withUnusedBit(SIGNATURE),
      [`spec.header.signature ${PROBLEM.base64}`],
    ],
    [
      "with an approval by no kid",
      ["spec", "header", "approvals"],
      { "*": SIGNATURE },
      ["spec.header.approvals.* is not a kid"],
    ],
    ["with a rendered data key", ["spec", "render", KEY], "x", [`spec.render.${KEY} is a data key as well`]],
    [
      "with a rendered key that starts with two dots",
      ["spec", "render", "..x"],
      "x",
      [`spec.render...x ${PROBLEM.key}`],
    ],
    [
      "with a label named __proto__",
      [...TARGET, "labels", "__proto__"],
      "",
      ["spec.target.labels.__proto__ is not a name that a field can have"],
    ],
    [
      "with a label's key that no API server takes",
      [...TARGET, "labels", "a b"],
      "x",
      ["spec.target.labels.a?b is not a key of a label or annotation"],
    ],
    [
      "with an annotation's key of two domains",
      [...TARGET, "annotations", "a.b/c/d"],
      "x",
      ["spec.target.annotations.a.b/c/d is not a key of a label or annotation"],
    ],
    [
      "with a label that no API server takes",
      [...TARGET, "labels", "a"],
      "not so",
      [`spec.target.labels.a ${PROBLEM.form}`],
    ],
    [
      "with a target in another namespace",
      [...TARGET, "namespace"],
      "kube-system",
      [`spec.target.namespace ${PROBLEM.unknown}`],
    ],
  ]);
});

t.test("keys that no Secret can have are refused", async (t) => {
  for (const key of [".", "..", "..a", "", "a b", "a/b", "ü", "k".repeat(254), "a\n"]) {
    const { fields } = refusalOf(parseSecret, changed(valid, DATA, { [key]: entry }));
    t.match(fields, [/^spec\.data\..* is not a key that a Secret can have$/], JSON.stringify(key));
  }
  const { fields } = refusalOf(parseSecret, changed(valid, [...DATA, "__proto__"], entry));
  t.strictSame(fields, ["spec.data.__proto__ is not a name that a field can have"]);
});

t.test("what is over a limit is too large, whatever its form", async (t) => {
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`K${at}`, entry]));
  refusesEach(t, secret, [
    ["257 entries", DATA, many, ["spec.data is above the limit of 256 keys"], "TooLarge"],
    [
      "a value over 64 KiB",
      [...ENTRY, "sealed"],
      "A".repeat(91664),
      [`${AT}.sealed is above the limit of 91660 characters`],
      "TooLarge",
    ],
  ]);
  const large = { ...entry, sealed: "A".repeat(91660) };
  const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`K${at}`, large]));
  const under = changed(valid, DATA, eleven);
  const bytes = JSON.stringify(under).length;
  t.ok(bytes > 0.9 * MAX_OBJECT_BYTES && bytes < MAX_OBJECT_BYTES);
  t.strictSame(refusalOf(parseSecret, under).fields, [], "eleven values of 64 KiB");
  const over = changed(valid, DATA, { ...eleven, K11: large });
  t.throws(() => parseSecret(over), { code: "TooLarge", message: /has \d+ bytes, the limit is 1048576/ });
  const render = Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`R${at}`, "\u0000".repeat(3000)]));
  t.throws(() => parseSecret(changed(valid, ["spec", "render"], render)), { code: "TooLarge" }, "escapes count");
});
