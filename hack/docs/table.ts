// Owns writing Markdown tables; nothing of what stands in them.

/** A Markdown table: a head and rows of cells, each on one line. Pipes and line ends in a cell do not end it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ");
}

/** Text as code. */
export function code(text: string): string {
  return `\`${text}\``;
}
