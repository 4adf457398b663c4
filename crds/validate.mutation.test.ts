import fc from "fast-check";
import t from "tap";
import { ABSENT, changed, type Path } from "../hack/field-table.js";
import { acme, bundle, production, world } from "../hack/fixtures.js";
import { ZoppError } from "./errors.js";
import { parseEnvironment, parseObject, parseSecret, parseWorkspace } from "./validate.js";

const SUBJECTS = [
  { parse: parseSecret, valid: bundle(world().environment, { A: "a", B: "b" }, { render: { C: "[[ A ]]" } }) },
  { parse: parseEnvironment, valid: production() },
  { parse: parseWorkspace, valid: acme() },
  { parse: parseObject, valid: acme() },
];

/** Every field of plain data, by its path. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]))];
}

const NAMES = ["__proto__", "constructor", "toString", "length", "then", "toJSON", "", "0", "-1", "a", "A", "spec"];
const name = fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: "binary" }));
const value = fc.oneof(
  fc.constantFrom(ABSENT, undefined, null, 0, -0, -1, 2 ** 53, Number.NaN, true, "", "*", [], {}, [[]], { a: {} }, 10n),
  fc.string({ unit: "binary" }),
  fc.double(),
  fc.object({ key: name }),
  fc.array(fc.anything(), { maxLength: 3 }),
);

for (const { parse, valid } of SUBJECTS) {
  const paths = pathsOf(valid);
  const mutation = fc.record({ at: fc.nat(paths.length - 1), more: fc.option(name), value });
  t.test(`${parse.name}: whatever one changes, it is read in the same way or refused by name`, async (t) => {
    let refused = 0;
    const property = fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
      const mutated = mutations.reduce((object: unknown, { at, more, value }) => {
        const path = [...(paths[at] ?? []), ...(more === null ? [] : [more])];
        return canChange(object, path) ? changed(object, path, value) : object;
      }, valid);
      try {
        const parsed = parse(mutated);
        // What was accepted says the same as what was given, and is accepted again.
        return JSON.stringify(parse(parsed)) === JSON.stringify(parsed);
      } catch (error) {
        refused += 1;
        if (!(error instanceof ZoppError)) throw error;
        return ["Malformed", "TooLarge", "UnknownVersion"].includes(error.code);
      }
    });
    fc.assert(property, { numRuns: 1500 });
    t.ok(refused > 500, `${refused} of 1500 were refused`);
  });
}

/** True when the steps before the last lead to something that can hold a member of that name. */
function canChange(object: unknown, path: Path): boolean {
  let holder = object;
  for (const step of path.slice(0, -1)) {
    if (typeof holder !== "object" || holder === null) return false;
    holder = (holder as Record<string | number, unknown>)[step];
  }
  const isArraysOwn = Array.isArray(holder) && path.at(-1) === "length";
  return typeof holder === "object" && holder !== null && !isArraysOwn;
}
