// The table of values: what counts as one value, and that none is without a word.
import t from "tap";
import { readValues, withValues } from "./gen.values.js";

t.test("a value is what has a comment; groups of values have none", async (t) => {
  const yaml = `# About the file.

# A list.
list: []
group:
  # First.
  first: ""
  # Of two
  # lines.
  deep:
    inner: {cpu: 1}
`;
  t.strictSame(readValues(yaml), [
    { path: "list", preset: "[]", text: "A list." },
    { path: "group.first", preset: '""', text: "First." },
    { path: "group.deep", preset: "{ inner: { cpu: 1 } }", text: "Of two lines." },
  ]);
});

for (const yaml of ["a: 1", "# A.\na: 1\nb: 2", "group:\n  # A.\n  a: 1\n  b: 2", "a: {b: 1}"]) {
  t.test(`a value without a comment stops the rendering: ${JSON.stringify(yaml)}`, async (t) => {
    t.throws(() => readValues(yaml), /has no comment/);
  });
}

t.test("a README without the marks is refused, and text around them stays", async (t) => {
  t.throws(() => withValues("# The chart", []), /lacks the lines/);
  const readme = "before\n<!-- values: written by make gen -->\nold\n<!-- /values -->\nafter\n";
  const table = withValues(readme, [{ path: "a", preset: "1", text: "An a." }]);
  t.match(table, /^before\n[\s\S]*\| `a` \| `1` \| An a\. \|\n<!-- \/values -->\nafter\n$/);
  t.notMatch(table, "old");
});
