import type { MetricDescription } from "../../core/metrics.ts";

/** The head of the table of metrics in a README. */
export const metricColumns = ["Metric", "Type", "Labels", "Meaning"] as const;

/** The rows of that table: the metrics of the given owners, by name. */
export function metricRows(all: readonly MetricDescription[], owners: readonly string[]): string[][] {
  return all.filter(({ owner }) => owners.includes(owner)).map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(", "),
    help,
  ]);
}
