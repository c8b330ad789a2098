import stringWidth from "string-width";
import { oneLine } from "./escape_controls.ts";
import type { Style, Terminal } from "./terminal.ts";

/** One column of a table over rows of one shape. */
export interface Column<Row> {
  readonly title: string;
  /** Any JSON value. */
  value(row: Row): unknown;
  readonly align?: "right";
  /** Characters at the most on a terminal; piped output is never shortened. */
  readonly maxWidth?: number;
  style?(row: Row): Style | undefined;
}

/** Prints rows in aligned columns; called again, it goes on below with the widths it knows. */
export function createTable<Row>(
  terminal: Terminal,
  columns: readonly Column<Row>[],
): (rows: readonly Row[]) => void {
  const widths = columns.map(() => 0);
  let titled = false;

  const printRow = (cells: readonly string[], style: (index: number) => Style | undefined) => {
    let left = terminal.width ?? Infinity;
    const shown = cells.map((cell, index) => {
      const text = pad(shorten(cell, left), index === cells.length - 1 ? 0 : widths[index]!, columns[index]!);
      left = Math.max(0, left - stringWidth(text) - 2);
      const painted = style(index);
      return painted ? terminal.paint(painted, text) : text;
    });
    terminal.print(shown.join("  ").trimEnd());
  };

  return (rows) => {
    const cells = rows.map((row) =>
      columns.map((column) =>
        shorten(oneLine(column.value(row)), terminal.width ? column.maxWidth ?? Infinity : Infinity)
      )
    );
    const titles = columns.map((column) => column.title);
    for (const line of titled ? cells : [titles, ...cells]) {
      line.forEach((cell, index) => widths[index] = Math.max(widths[index]!, stringWidth(cell)));
    }
    if (!titled) printRow(titles, () => "bold");
    titled = true;
    cells.forEach((line, row) => printRow(line, (index) => columns[index]!.style?.(rows[row]!)));
  };
}

/** Prints names and their values below each other; empty values are left out. */
export function printFields(
  terminal: Terminal,
  fields: Readonly<Record<string, unknown>>,
  { styles = {} }: { styles?: Readonly<Record<string, Style | undefined>> } = {},
): void {
  const lines = Object.entries(fields)
    .map(([name, value]) => [oneLine(name), oneLine(value)] as const)
    .filter(([, value]) => value !== "");
  const width = Math.max(...lines.map(([name]) => stringWidth(name)), 0);
  for (const [name, value] of lines) {
    const style = styles[name];
    terminal.print(
      `${terminal.paint("dim", name.padEnd(width))}  ${style ? terminal.paint(style, value) : value}`,
    );
  }
}

function pad(text: string, width: number, column: { align?: "right" }): string {
  const missing = " ".repeat(Math.max(0, width - stringWidth(text)));
  return column.align === "right" ? missing + text : text + missing;
}

const graphemes = new Intl.Segmenter();

function shorten(text: string, width: number): string {
  if (text.length <= width && stringWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > width) return width < 1 ? "" : kept + "…";
    if (used < width) kept += segment;
  }
  return text;
}
