/**
 * The text with everything between `<!-- generated:NAME -->` and the next `<!-- /generated -->` replaced by `content`.
 * Throws where the text has no such section.
 */
export function replaceSection(text: string, { name, content }: { name: string; content: string }): string {
  const start = `<!-- generated:${name} -->`;
  const end = "<!-- /generated -->";
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`Cannot find the section "${name}": write ${start} and ${end}`);
  return `${text.slice(0, from + start.length)}\n\n${content.trim()}\n\n${text.slice(to)}`;
}

/** Whether the text has a section of that name. */
export function hasSection(text: string, name: string): boolean {
  return text.includes(`<!-- generated:${name} -->`);
}

/** A Markdown table with aligned columns, as the formatter leaves it. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const [first, ...others] = cells;
  return [line(first!), line(widths.map((width) => "-".repeat(width))), ...others.map(line)].join("\n");
}
