// Owns reading the checkout's documents: which there are, their headings, links, blocks of commands, and marks for tests.
// Does not own how they look as a site (site.ts), nor running their blocks (blocks.ts).
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import GithubSlugger from "github-slugger";
import { lexer, type Token, type Tokens, walkTokens } from "marked";
import { packageRoot } from "../package-root.js";

/** What the blocks of a page need around them; `demo` = they are held against `make demo` by demo/demo.test.ts. */
export type World = "none" | "files" | "control-plane" | "demo";

/** A document. */
export interface Page {
  /** From the root, with slashes. */
  readonly path: string;
  readonly tokens: readonly Token[];
}

/** A heading with the anchor that GitHub, and our site, give it. */
export interface Heading {
  readonly level: number;
  readonly text: string;
  readonly id: string;
}

/** A link or a picture. */
export interface Link {
  readonly href: string;
  readonly text: string;
}

/** A fenced block. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Why no test runs it, as the comment before it says. */
  readonly notRun?: string | undefined;
  /** What the world does where the block stands, since it is not run. */
  readonly inItsPlace?: string | undefined;
}

const PATTERNS = ["*.md", "docs/**/*.md", "helm/README.md"];
const WORLD = /^<!-- world: (none|files|control-plane|demo) -->$/m;
const NOT_RUN = /^<!-- not run: (.+?)(?:; in its place: (.+))? -->\s*$/;
/** The languages of blocks that a reader would type, or see in a terminal. */
const COMMANDS: ReadonlySet<string> = new Set(["sh", "bash", "shell", "console"]);

/** Every document of a checkout. */
export function readPages(root: string = packageRoot()): readonly Page[] {
  const paths = globSync(PATTERNS, { cwd: root }).map((path) => path.replaceAll("\\", "/"));
  return paths.toSorted().map((path) => readPage(path, readFileSync(join(root, path), "utf8")));
}

/** A document from its text. */
export function readPage(path: string, text: string): Page {
  return { path, tokens: lexer(text) };
}

/** The headings of a page in its order. */
export function headingsOf({ tokens }: Page): readonly Heading[] {
  const slugger = new GithubSlugger();
  return tokens.flatMap((token) => {
    if (token.type !== "heading") return [];
    const { depth: level, text } = token as Tokens.Heading;
    return [{ level, text, id: slugger.slug(text) }];
  });
}

/** All links and pictures of a page. */
export function linksOf(page: Pick<Page, "tokens">): readonly Link[] {
  return everyToken(page).flatMap((token) => {
    if (token.type !== "link" && token.type !== "image") return [];
    const { href, text } = token as Tokens.Link;
    return [{ href, text }];
  });
}

/** What the page says that its blocks need; undefined where it says nothing. */
export function worldOf({ tokens }: Page): World | undefined {
  for (const { type, raw } of tokens) {
    const world = type === "html" ? WORLD.exec(raw)?.[1] : undefined;
    if (world !== undefined) return world as World;
  }
  return undefined;
}

/** The blocks of commands of a page in its order, wherever they stand. */
export function commandBlocksOf(page: Page): readonly Block[] {
  const tokens = everyToken(page).filter(({ type }) => type !== "space");
  return tokens.flatMap((token, at) => {
    const { lang: language = "", text } = token as Tokens.Code;
    return token.type === "code" && COMMANDS.has(language) ? [{ language, text, ...markOf(tokens[at - 1]) }] : [];
  });
}

/** All tokens of a page in its order, with those inside lists, tables and lines. */
function everyToken({ tokens }: Pick<Page, "tokens">): readonly Token[] {
  const found: Token[] = [];
  void walkTokens([...tokens], (token) => {
    found.push(token);
  });
  return found;
}

function markOf(token: Token | undefined): Pick<Block, "notRun" | "inItsPlace"> {
  const [, notRun, inItsPlace] = token?.type === "html" ? (NOT_RUN.exec(token.raw) ?? []) : [];
  return { notRun, inItsPlace };
}
