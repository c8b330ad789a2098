import { type FamilyDeclaration, MetricFamily, type Refusal } from "./metric_family.ts";
import { checkDeclaration, familyName, type MetricDescription } from "./metric_rules.ts";
import { exposeCells, type ExpositionFormat } from "./prometheus.ts";

export type { ExpositionFormat, MetricDescription };

/** Only ever grows, from 0 at the start of the process. */
export interface Counter {
  /** Adds `by` (default 1), which is finite and not negative; anything else is refused and counted as such. */
  inc(by?: number): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number): void;
  inc(by?: number): void;
  dec(by?: number): void;
}

/** Sorts what it observes into buckets, in the base unit of its name. */
export interface Histogram {
  observe(value: number): void;
}

/** One value for each label. */
export type LabelValues<Label extends string> = Readonly<Record<Label, string>>;

/** A metric with labels: one child for each combination of their values. */
export interface Family<Label extends string, Child> {
  /** The child for these values. Cheap, but where every microsecond counts, keep the child. */
  labels(values: LabelValues<Label>): Child;
}

/** One number of a metric that is read at scrape time. */
export interface Sample<Label extends string> {
  readonly labels: LabelValues<Label>;
  readonly value: number;
}

interface Named {
  /** In full: `commandcenter_`, words, base unit (`_seconds`, `_bytes`, `_ratio`), and `_total` for a counter. */
  readonly name: string;
  /** One line of plain text for whoever reads the scrape. */
  readonly help: string;
}

interface WithLabels<Label extends string> {
  readonly labels: readonly Label[];
  /** Combinations of label values that are kept; default 200. Further ones count as `other`, and gauges leave them out. */
  readonly maxSeries?: number;
}

interface Collected<Reading> {
  /** Read at every scrape, for at most a second; what throws or is late is left out and counted. */
  readonly collect: () => Reading | Promise<Reading>;
}

interface Written {
  readonly collect?: undefined;
}

interface WithoutLabels {
  readonly labels?: undefined;
}

/** Declares a metric that is written to, or, with `collect`, read at every scrape. Throws on a bad or taken name. */
export interface Declare<Child> {
  (declaration: Named & WithoutLabels & Written): Child;
  <const Label extends string>(declaration: Named & WithLabels<Label> & Written): Family<Label, Child>;
  /** `undefined` leaves the metric out of this scrape. */
  (declaration: Named & WithoutLabels & Collected<number | undefined>): void;
  <const Label extends string>(
    declaration: Named & WithLabels<Label> & Collected<readonly Sample<Label>[]>,
  ): void;
}

/** Ascending upper bounds in the base unit; default 5 ms to 10 s. */
interface WithBuckets {
  readonly buckets?: readonly number[];
}

/** Declares a histogram. Throws on a bad or taken name. */
export interface DeclareHistogram {
  (declaration: Named & WithBuckets & WithoutLabels): Histogram;
  <const Label extends string>(
    declaration: Named & WithBuckets & WithLabels<Label>,
  ): Family<Label, Histogram>;
}

/** One sample of a snapshot. */
export interface SampleSnapshot {
  readonly labels: Readonly<Record<string, string>>;
  /** The number itself; for a histogram the sum of what was observed. */
  readonly value: number;
  readonly histogram?: {
    readonly count: number;
    /** Cumulative and ascending; the last bound is Infinity. */
    readonly buckets: readonly { readonly bound: number; readonly count: number }[];
  };
}

/** A metric with everything it holds at one moment. */
export interface MetricSnapshot extends MetricDescription {
  /** Whether it is read at every scrape; without samples it is then unknown, not 0. */
  readonly collected: boolean;
  readonly samples: readonly SampleSnapshot[];
}

/** All metrics of the agent, for those who show them. */
export interface Exposition {
  /** What is declared now, by name. */
  describe(): readonly MetricDescription[];
  /** The text that a scraper reads. */
  render(format: ExpositionFormat): Promise<{ readonly contentType: string; readonly body: string }>;
  /** The same as data. */
  snapshot(): Promise<readonly MetricSnapshot[]>;
}

/** What one plugin may do with metrics: declare its own, see all. */
export interface PluginMetrics {
  readonly counter: Declare<Counter>;
  readonly gauge: Declare<Gauge>;
  readonly histogram: DeclareHistogram;
  readonly all: Exposition;
}

const kernelOwner = "kernel";

/** The metrics of one agent. Every plugin has its part, which goes with it; nothing is global. */
export class Metrics implements Exposition {
  readonly #families = new Map<string, MetricFamily>();
  readonly #refused: Family<"metric" | "reason", Counter>;
  #collecting: Promise<unknown> | undefined;

  constructor() {
    this.#refused = this.forKernel().counter({
      name: "commandcenter_metrics_refused_total",
      help: "Writes and readings of metrics not taken as they came: series (too many label combinations), " +
        "value (not finite, or a counter going down), collect (failed or late)",
      labels: ["metric", "reason"],
      maxSeries: Infinity, // bounded by the declared metrics; it could not report on itself
    });
  }

  /** The part of one plugin; `release` takes back all that was declared through it. */
  forPlugin(owner: string): PluginMetrics & { release(): void } {
    const declare = (type: MetricDescription["type"]) => (declaration: FamilyDeclaration) =>
      this.#declare({ type, owner }, declaration);
    return {
      counter: declare("counter") as Declare<Counter>,
      gauge: declare("gauge") as Declare<Gauge>,
      histogram: declare("histogram") as DeclareHistogram,
      all: this,
      release: () => this.#release(owner),
    };
  }

  /** The part of the kernel itself. */
  forKernel(): PluginMetrics {
    return this.forPlugin(kernelOwner);
  }

  describe(): readonly MetricDescription[] {
    return this.#sorted().map((family) => family.description);
  }

  async render(format: ExpositionFormat): Promise<{ readonly contentType: string; readonly body: string }> {
    await this.#collect();
    return exposeCells(this.#sorted().map((family) => family.cells), format);
  }

  async snapshot(): Promise<readonly MetricSnapshot[]> {
    await this.#collect();
    return Promise.all(this.#sorted().map((family) => family.snapshot()));
  }

  /** Waits for the readings that are under way, at most a second. */
  async close(): Promise<void> {
    await this.#collecting;
  }

  #release(owner: string): void {
    for (const [key, family] of this.#families) {
      if (family.description.owner === owner) this.#families.delete(key);
    }
  }

  #declare(
    origin: { type: MetricDescription["type"]; owner: string },
    declaration: FamilyDeclaration,
  ): unknown {
    const { name, help, labels = [] } = declaration;
    const description: MetricDescription = { name, help, labels: [...labels], ...origin };
    checkDeclaration(description, declaration.buckets);
    const taken = this.#families.get(familyName(name))?.description;
    if (taken) {
      throw new Error(`Cannot declare the metric "${name}": "${taken.owner}" already has ${taken.name}`);
    }
    const refuse = (reason: Refusal) => this.#refused.labels({ metric: name, reason }).inc();
    const family = new MetricFamily(description, { declaration, refuse });
    this.#families.set(familyName(name), family);
    return family.writer();
  }

  #sorted(): MetricFamily[] {
    const byName = ([one]: [string, unknown], [other]: [string, unknown]) => one < other ? -1 : 1;
    return [...this.#families].sort(byName).map(([, family]) => family);
  }

  /** Concurrent scrapes share one round of readings. */
  #collect(): Promise<unknown> {
    return this.#collecting ??= Promise.all([...this.#families.values()].map((family) => family.collect()))
      .finally(() => this.#collecting = undefined);
  }
}
