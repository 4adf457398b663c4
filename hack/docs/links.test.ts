import t from "tap";
import { deadLinks } from "./links.js";
import { linksOf, readPage, readPages } from "./pages.js";

const pages = readPages();

t.test("every link of the documents leads to a file, and to a heading where it names one", async (t) => {
  for (const path of ["README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/index.md", "docs/reference/cli.md"]) {
    t.ok(
      pages.some((page) => page.path === path),
      path,
    );
  }
  t.strictSame(deadLinks(pages), []);
});

t.test("every page of docs/ is linked from its index, which is the site's navigation too", async (t) => {
  const linked = pages
    .filter(({ path }) => path === "docs/index.md")
    .flatMap((page) => linksOf(page).map(({ href }) => href));
  const lacking = pages
    .map(({ path }) => path)
    .filter((path) => path.startsWith("docs/") && path !== "docs/index.md" && !linked.includes(path.slice(5)));
  t.strictSame(lacking, []);
});

t.test("dead links are found in text, lists, tables and pictures; addresses elsewhere are not asked", async (t) => {
  const to = readPage("docs/to.md", "# One `zopp`\n\n## Again\n\n## Again\n");
  const from = readPage(
    "docs/from.md",
    `# From
[good](to.md) [good](to.md#one-zopp) [good](to.md#again-1) [good](#from) [good](../Makefile) [good](../crds/) [good](https://zopp.invalid/x)

- in a list: [gone](gone.md)

| in a table |
| --- |
| [gone](to.md#gone) |

![gone](gone.png) [gone](../../passwd) [no heading](../Makefile#x)

\`\`\`
[not a link](in-a-block.md)
\`\`\`
`,
  );
  t.strictSame(deadLinks([from, to]), [
    "docs/from.md: gone.md",
    "docs/from.md: to.md#gone",
    "docs/from.md: gone.png",
    "docs/from.md: ../../passwd",
    "docs/from.md: ../Makefile#x",
  ]);
});
