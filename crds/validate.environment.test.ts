import t from "tap";
import { ABSENT, acceptsEach, type Path, PROBLEM, refusesEach, withUnusedBit } from "../hack/field-table.js";
import { environmentKey, production } from "../hack/fixtures.js";
import { parseEnvironment } from "./validate.js";

const valid = production();
const environment = { parse: parseEnvironment, valid };
const [key] = valid.spec.keys;
const [stanza] = key?.sealed ?? [];
const KEYS: Path = ["spec", "keys"];
const SEALED: Path = [...KEYS, 0, "sealed"];
const age = { to: "age1pqabc", age: "AAAA" };
const STANZA = "spec.keys.0.sealed.0 is neither {to: zk1…, enc, wrapped} nor {to: age1…, age}";
const x25519 = environmentKey.x25519.public.text;

t.test("an environment is accepted", async (t) => {
  acceptsEach(t, environment, [
    ["with a stanza for age", SEALED, [stanza, age]],
    ["without recipients", SEALED, []],
    ["with a compact key", [...KEYS, 0, "public"], x25519],
    ["without signatures yet", ["spec", "signatures"], []],
    ["with a gap between epochs", KEYS, [key, { ...key, epoch: 7 }]],
  ]);
});

t.test("an environment is refused", async (t) => {
  refusesEach(t, environment, [
    [
      "under another name",
      ["metadata", "name"],
      "acme.shop.dev",
      ["metadata.name is not workspace.project.environment of spec"],
    ],
    ["with a dot in its project", ["spec", "project"], "shop.production", [`spec.project ${PROBLEM.form}`]],
    ["without signatures", ["spec", "signatures"], ABSENT, ["spec.signatures is missing"]],
    [
      "with a signer twice",
      ["spec", "signatures"],
      Array(2).fill(valid.spec.signatures[0]),
      [`spec.signatures.1.by ${PROBLEM.twice}`],
    ],
    ["with access of its own", ["spec", "access"], "open", ["spec.access is not one of brokered, direct"]],
    [
      "with a grant with a scope",
      ["spec", "grants"],
      [{ subject: "bob", role: "read", scope: "*" }],
      [`spec.grants.0.scope ${PROBLEM.unknown}`],
    ],
    [
      "with a grant to a group of groups",
      ["spec", "grants"],
      [{ subject: "group:group:a", role: "read" }],
      [`spec.grants.0.subject ${PROBLEM.form}`],
    ],
    [
      "with a grant that ends in no month",
      ["spec", "grants"],
      [{ subject: "bob", role: "read", expires: "2027-13-01T00:00:00Z" }],
      [`spec.grants.0.expires ${PROBLEM.time}`],
    ],
  ]);
});

t.test("an environment is refused for a key", async (t) => {
  refusesEach(t, environment, [
    ["none", KEYS, [], ["spec.keys is below the limit of 1 items"]],
    ["an epoch twice", KEYS, [key, key], ["spec.keys.1.epoch does not come after the one before"]],
    [
      "epochs in descending order",
      KEYS,
      [{ ...key, epoch: 2 }, key],
      ["spec.keys.1.epoch does not come after the one before"],
    ],
    ["of low order", [...KEYS, 0, "public"], `x25519:${"A".repeat(43)}=`, [`spec.keys.0.public ${PROBLEM.unusable}`]],
    [
      "not an X-Wing key",
      [...KEYS, 0, "public"],
      `xwing:${"/".repeat(1621)}w==`,
      [`spec.keys.0.public ${PROBLEM.unusable}`],
    ],
    ["with unused bits", [...KEYS, 0, "public"], withUnusedBit(x25519), [`spec.keys.0.public ${PROBLEM.unusable}`]],
    [
      "of another prefix",
      [...KEYS, 0, "public"],
      x25519.replace("x25519", "ed25519"),
      [`spec.keys.0.public ${PROBLEM.form}`],
    ],
    ["a recipient twice", SEALED, [stanza, stanza], [`spec.keys.0.sealed.1.to ${PROBLEM.twice}`]],
    ["a stanza for a kid without enc", [...SEALED, 0, "enc"], ABSENT, [STANZA]],
    ["a stanza that is both", [...SEALED, 0, "age"], "AAAA", [STANZA]],
    ["a stanza of age for a kid", [...SEALED, 0], { to: stanza?.to, age: "AAAA" }, [STANZA]],
    ["a stanza of HPKE for age", [...SEALED, 0, "to"], "age1pqabc", [STANZA]],
    [
      "an age file that is not base64",
      SEALED,
      [{ ...age, age: "AAA" }],
      [`spec.keys.0.sealed.0.age ${PROBLEM.base64}`],
    ],
    ["an enc of another length", [...SEALED, 0, "enc"], "AAAA", [`spec.keys.0.sealed.0.enc ${PROBLEM.form}`]],
  ]);
});
