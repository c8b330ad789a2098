import type { Goal, Measurement, Row } from "./row.ts";
import type { Round } from "./run_rounds.ts";

/** Median and extremes of some rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** A measured row, as `--json` prints it. */
export interface RowSummary extends Pick<Row, "name" | "unit" | "goal"> {
  readonly work: SideSummary;
  readonly baseline: SideSummary;
  /** Work divided by baseline, round by round. */
  readonly ratio: Spread;
  /** Where the goal is about growth: the largest work divided by baseline among its figures. */
  readonly growth?: number;
  /** Absent where there is no goal. */
  readonly reached?: boolean;
}

/** One side of a measured row. */
export interface SideSummary {
  readonly what: string;
  readonly figure: Spread;
  /** Medians. */
  readonly also: Readonly<Record<string, number>>;
}

/** Sums up the rounds of a row. */
export function summarize(row: Row, rounds: readonly Round[]): RowSummary {
  const ratio = spread(rounds.map(({ work, baseline }) => work.figure / baseline.figure));
  const work = side(row.work, rounds.map((round) => round.work));
  const baseline = side(row.baseline, rounds.map((round) => round.baseline));
  const { name, unit, goal } = row;
  return { name, unit, goal, work, baseline, ratio, ...verdict(goal, { work, baseline, ratio }) };
}

function verdict(
  goal: Goal,
  { work, baseline, ratio }: Pick<RowSummary, "work" | "baseline" | "ratio">,
): Pick<RowSummary, "reached" | "growth"> {
  if (goal.kind === "none") return {};
  if (goal.kind === "ratio") return { reached: ratio.median >= goal.atLeast };
  if (goal.kind === "figure") return { reached: work.figure.median < goal.below };
  const growth = Math.max(...goal.of.map((each) => work.also[each]! / baseline.also[each]!));
  return { growth, reached: growth <= goal.atMost && work.figure.median < goal.below };
}

function side(what: string, measurements: readonly Measurement[]): SideSummary {
  const names = Object.keys(measurements[0]?.also ?? {});
  const medianOf = (name: string) => spread(measurements.map(({ also }) => also?.[name] ?? NaN)).median;
  return {
    what,
    figure: spread(measurements.map(({ figure }) => figure)),
    also: Object.fromEntries(names.map((name) => [name, medianOf(name)])),
  };
}

/** Median, smallest and largest of at least one number. */
export function spread(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: sorted[0]!, max: sorted.at(-1)! };
}

/** The value below which the given share (0–1) of ascending numbers lies, without interpolation. */
export function quantile(ascending: ArrayLike<number>, share: number): number {
  if (ascending.length === 0) throw new Error(`Cannot find "a quantile": there are no numbers`);
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))]!;
}
