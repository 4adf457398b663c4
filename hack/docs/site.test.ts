import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { readPage, readPages } from "./pages.js";
import { buildSite } from "./site.js";

t.test("every document becomes a page, and every link on it leads to a file and a heading of the site", async (t) => {
  const folder = t.testdir();
  const files = buildSite(folder).filter((file) => file.endsWith(".html"));
  t.equal(files.length, readPages().length);
  t.ok(files.includes("index.html") && files.includes("reference/crds.html") && files.includes("SECURITY.html"));
  const text = (file: string) => readFileSync(file, "utf8");
  for (const file of files) {
    const page = text(join(folder, file));
    const links = [...page.matchAll(/href="([^"]*)"/g)].map(([, href = ""]) => href);
    for (const href of links.filter((href) => !/^https?:/.test(href))) {
      const [way = "", anchor] = href.split("#");
      const target = way === "" ? join(folder, file) : join(folder, dirname(file), way);
      t.ok(existsSync(target), `${file}: ${href}`);
      if (anchor !== undefined) t.ok(text(target).includes(` id="${anchor}"`), `${file}: ${href}`);
    }
    const [, navigation = ""] = /<nav>(.*)<\/nav>/s.exec(page) ?? [];
    t.match(navigation, /href="(?:\.\.\/)?quickstart\.html"/, `${file} has a navigation`);
    t.notMatch(page, /<script|https?:\/\/[^"]*\.(?:js|css)/, `${file} loads nothing`);
  }
});

t.test("a file of the checkout that is no page is named, not linked", async (t) => {
  const folder = t.testdir();
  buildSite(folder, [readPage("docs/index.md", "# Index\n\nsee [the rules](../Makefile) & [more](#index)\n")]);
  const page = readFileSync(join(folder, "index.html"), "utf8");
  t.match(page, "see the rules &amp; <a href=");
  t.match(page, '<h1 id="index">Index</h1>');
});

t.test("no site is made while a link leads nowhere", async (t) => {
  const pages = [readPage("docs/index.md", "# Index\n\n[gone](gone.md)\n")];
  t.throws(() => buildSite(t.testdir(), pages), { message: /docs\/index\.md: gone\.md/ });
});
