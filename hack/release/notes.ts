// Owns what CHANGELOG.md says of one version.
// Does not own what has changed.

/**
 * The section of a version, without its heading. `isTagged` refuses what is not under that version's own heading; else
 * what is not released yet stands in for it.
 */
export function notesOf(changelog: string, version: string, isTagged: boolean): string {
  const sections = changelog.split(/^## /m).slice(1);
  const under = (title: string) =>
    sections.find((section) => {
      const [heading = ""] = section.split("\n", 1);
      return heading === title || heading.startsWith(`${title} `);
    });
  const found = under(version) ?? (isTagged ? undefined : under("Unreleased"));
  if (found === undefined) throw new Error(`CHANGELOG.md has no section "## ${version}": name what was unreleased so`);
  return `${found.slice(found.indexOf("\n")).trim()}\n`;
}
