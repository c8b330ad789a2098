/** What one side of a row did in one round. */
export interface Measurement {
  /** In the unit of the row. */
  readonly figure: number;
  /** What else was seen, by name with unit, such as `server_busy_percent`. */
  readonly also?: Readonly<Record<string, number>>;
}

/** Work and baseline, made ready once and then measured in turns. */
export interface Contest extends AsyncDisposable {
  work(): Promise<Measurement>;
  baseline(): Promise<Measurement>;
}

/** When a row counts as reached. */
export type Goal =
  /** Work divided by baseline, by the median of the rounds; more is better. */
  | { readonly kind: "ratio"; readonly atLeast: number }
  /** The figure of the work itself, by the median of the rounds; less is better. */
  | { readonly kind: "figure"; readonly below: number }
  /**
   * Work divided by baseline for each of the named figures of `also`, by their medians, and the figure of the work
   * itself; less is better in both.
   */
  | {
    readonly kind: "growth";
    readonly of: readonly string[];
    readonly atMost: number;
    readonly below: number;
  }
  /** Only shown. */
  | { readonly kind: "none" };

/** One line of the table of figures. */
export interface Row {
  /** What the command line calls it. */
  readonly name: string;
  readonly work: string;
  readonly baseline: string;
  /** Of both figures, such as `events/s` or `ms`. */
  readonly unit: string;
  readonly goal: Goal;
  /** Turns of each side within a round, for short work whose figure is a rate; default 1. */
  readonly turns?: number;
  /** Says why the row cannot be measured here, where it cannot. */
  readonly missing?: () => string | undefined;
  /** Makes both sides ready; what it opened goes with the contest. */
  readonly open: () => Promise<Contest>;
}
