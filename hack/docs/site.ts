// `make docs`: the documents as a small static site in build/site, without scripts and without anything from elsewhere.
// Does not own the documents; docs/index.md is the front page, and its links are the navigation.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import GithubSlugger from "github-slugger";
import { Marked, type Tokens } from "marked";
import { packageRoot } from "../package-root.js";
import { deadLinks, targetOf } from "./links.js";
import { headingsOf, linksOf, type Page, readPages } from "./pages.js";
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
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title?.text ?? page.path)} · zopp</title>
<link rel="stylesheet" href="${way("style.css")}">
</head>
<body>
<a class="skip" href="#main">To the text</a>
<nav>
<p><a href="${way(fileOf(INDEX))}">zopp</a></p>
${navigation(page, { pages, index })}</nav>
<main id="main">
${render(page, pages)}</main>
</body>
</html>
`;
}

/** The links of the front page below its headings, the page that is shown being marked. */
function navigation(at: Page, { pages, index }: Site): string {
  const start = index.tokens.findIndex((token) => token.type === "heading" && (token as Tokens.Heading).depth === 2);
  const parts = index.tokens.slice(start < 0 ? index.tokens.length : start).map((token) => {
    if (token.type === "heading") return `<h2>${escaped((token as Tokens.Heading).text)}</h2>\n`;
    const links = linksOf({ tokens: [token] }).map(({ href, text }) => {
      const current = targetOf(index, href)?.path === at.path ? ' aria-current="page"' : "";
      return `<li><a href="${escaped(hrefOf(href, { from: index, at, pages }) ?? "")}"${current}>${escaped(text)}</a></li>\n`;
    });
    return links.length === 0 ? "" : `<ul>\n${links.join("")}</ul>\n`;
  });
  return parts.join("");
}

function render(page: Page, pages: readonly Page[]): string {
  const slugger = new GithubSlugger();
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        return `<h${depth} id="${slugger.slug(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        const text = this.parser.parseInline(tokens);
        const to = hrefOf(href, { from: page, at: page, pages });
        return to === undefined ? text : `<a href="${escaped(to)}">${text}</a>`;
      },
    },
  });
  return marked.parser([...page.tokens]);
}

interface Leading {
  /** The page that the link was written in. */
  readonly from: Page;
  /** The page that it is shown on. */
  readonly at: Page;
  readonly pages: readonly Page[];
}

/** What a link is on the site; undefined for files of the checkout that are no pages. */
function hrefOf(href: string, { from, at, pages }: Leading): string | undefined {
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
