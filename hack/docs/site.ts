// `make docs`: the documents as a small static site in build/site, without scripts and without anything from elsewhere.
// Does not own the documents; docs/index.md is the front page, and its links are the navigation.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import GithubSlugger from "github-slugger";
import { Marked, type Token, type Tokens } from "marked";
import { packageRoot } from "../package-root.js";
import { deadLinks, targetOf } from "./links.js";
import { headingsOf, type Page, readPages } from "./pages.js";
import { STYLE } from "./site.style.js";

const INDEX = "docs/index.md";

/** Writes the site and gives the paths of its files. Throws where a link leads nowhere. */
export function buildSite(folder: string, pages: readonly Page[] = readPages()): readonly string[] {
  const dead = deadLinks(pages);
  if (dead.length > 0) throw new Error(`these links lead nowhere:\n${dead.join("\n")}`);
  const index = pages.find(({ path }) => path === INDEX);
  if (index === undefined) throw new Error(`there is no ${INDEX}`);
  rmSync(folder, { recursive: true, force: true });
  const site: Site = { pages, index };
  const files = new Map([...pages.map((page) => [fileOf(page.path), html(page, site)] as const), ["style.css", STYLE]]);
  for (const [file, text] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return [...files.keys()];
}

interface Site {
  readonly pages: readonly Page[];
  readonly index: Page;
}

/** `docs/reference/cli.md` becomes `reference/cli.html`. */
function fileOf(path: string): string {
  return path.replace(/^docs\//, "").replace(/\.md$/, ".html");
}

function html(page: Page, { pages, index }: Site): string {
  const [title] = headingsOf(page);
  const way = (file: string) => posix.relative(posix.dirname(fileOf(page.path)), file);
  const navigation = index.tokens.filter(({ type }) => type === "list" || type === "heading").slice(1);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title?.text ?? page.path)} · zopp</title>
<link rel="stylesheet" href="${way("style.css")}">
</head>
<body>
<nav>
<p><a href="${way(fileOf(INDEX))}">zopp</a></p>
${render(navigation, { from: index, at: page, pages, hasAnchors: false })}</nav>
<main>
${render(page.tokens, { from: page, at: page, pages, hasAnchors: true })}</main>
</body>
</html>
`;
}

interface Rendering {
  /** The page that the links were written in. */
  readonly from: Page;
  /** The page that they are shown on. */
  readonly at: Page;
  readonly pages: readonly Page[];
  readonly hasAnchors: boolean;
}

function render(tokens: readonly Token[], { from, at, pages, hasAnchors }: Rendering): string {
  const slugger = new GithubSlugger();
  const marked = new Marked({
    renderer: {
      heading({ tokens: inside, depth, text }: Tokens.Heading) {
        const id = hasAnchors ? ` id="${slugger.slug(text)}"` : "";
        return `<h${depth}${id}>${this.parser.parseInline(inside)}</h${depth}>\n`;
      },
      link({ href, tokens: inside }: Tokens.Link) {
        const text = this.parser.parseInline(inside);
        const to = hrefOf(href, { from, at, pages });
        return to === undefined ? text : `<a href="${escaped(to)}">${text}</a>`;
      },
    },
  });
  return marked.parser([...tokens]);
}

/** What a link is on the site; undefined for files of the checkout that are no pages. */
function hrefOf(href: string, { from, at, pages }: Omit<Rendering, "hasAnchors">): string | undefined {
  const target = targetOf(from, href);
  if (target === undefined) return href;
  if (!pages.some(({ path }) => path === target.path)) return undefined;
  const way = posix.relative(posix.dirname(fileOf(at.path)), fileOf(target.path));
  return target.anchor === undefined ? way : `${way}#${target.anchor}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(packageRoot(), "build", "site");
  const files = buildSite(folder);
  console.log(`${files.length} files in ${folder}: open ${join(folder, fileOf(INDEX))}`);
}
