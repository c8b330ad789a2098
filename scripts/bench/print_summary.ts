import type { RowSummary, SideSummary, Spread } from "./summary.ts";

/** A measured row as lines for people. */
export function describeRow(summary: RowSummary): string[] {
  const { name, unit, goal, work, baseline, ratio, growth, reached } = summary;
  const mark = reached === undefined ? "" : reached ? "  reached" : "  NOT REACHED";
  const aim = goal.kind === "ratio"
    ? `  (goal: ≥ ${goal.atLeast})`
    : goal.kind === "figure"
    ? `  (goal: < ${goal.below} ${unit})`
    : goal.kind === "growth"
    ? `, medians up to ${short(growth!)} × the baseline  (goal: < ${goal.below} ${unit}, ≤ ${goal.atMost} ×)`
    : "";
  const result = unit === "ms" || goal.kind === "figure"
    ? `${range(work.figure)} ${unit}`
    : `${range(ratio)} of the baseline`;
  return [
    `${name}: ${result}${aim}${mark}`,
    sideLine("work", work, unit),
    sideLine("baseline", baseline, unit),
  ];
}

function sideLine(label: string, { what, figure, also }: SideSummary, unit: string): string {
  const more = Object.entries(also).map(([name, value]) => `${name} ${short(value)}`).join(", ");
  return `  ${label.padEnd(9)} ${range(figure)} ${unit} — ${what}${more ? ` [${more}]` : ""}`;
}

/** Median, and in brackets smallest and largest. */
function range({ median, min, max }: Spread): string {
  return `${short(median)} (${short(min)}–${short(max)})`;
}

function short(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
