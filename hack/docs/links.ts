// Owns finding links of documents that lead nowhere in the checkout. Does not own reading documents (pages.ts).
// Addresses elsewhere are not asked: that would fail for reasons that are not ours.
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { packageRoot } from "../package-root.js";
import { headingsOf, linksOf, type Page } from "./pages.js";

/** Where a link of a page leads. */
export interface Target {
  /** From the root of the checkout. */
  readonly path: string;
  /** The heading's anchor, where the link has one. */
  readonly anchor?: string | undefined;
}

/** Where a link of a page leads in the checkout; undefined for an address elsewhere. */
export function targetOf({ path: from }: Page, href: string): Target | undefined {
  if (/^[a-z][-+.a-z0-9]*:|^\/\//i.test(href)) return undefined;
  const [way = "", anchor] = href.split("#");
  const path = way === "" ? from : posix.join(posix.dirname(from), decodeURI(way)).replace(/\/$/, "");
  return { path, anchor };
}

/** The links that lead to no file, or to no heading, as `page: link`. */
export function deadLinks(pages: readonly Page[], root: string = packageRoot()): readonly string[] {
  const anchors = new Map(pages.map((page) => [page.path, new Set(headingsOf(page).map(({ id }) => id))]));
  return pages.flatMap((page) =>
    linksOf(page)
      .filter(({ href }) => {
        const target = targetOf(page, href);
        if (target === undefined) return false;
        const { path, anchor } = target;
        const isThere = anchors.has(path) || (!path.startsWith("..") && existsSync(join(root, path)));
        return !isThere || (anchor !== undefined && anchors.get(path)?.has(anchor) !== true);
      })
      .map(({ href }) => `${page.path}: ${href}`),
  );
}
