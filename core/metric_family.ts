import { getLogger } from "./log.ts";
import { labelValue, MetricChildren } from "./metric_children.ts";
import type { MetricDescription } from "./metric_rules.ts";
import type { Counter, Gauge, Histogram, MetricSnapshot, SampleSnapshot } from "./metrics.ts";
import { type CellReading, type Cells, type CellSample, openCells } from "./prometheus.ts";

/** Why something was not taken as it came. */
export type Refusal = "collect" | "series" | "value";

/** What a plugin declared, before its kind and owner are added. */
export interface FamilyDeclaration {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly maxSeries?: number;
  readonly buckets?: readonly number[];
  readonly collect?: () => unknown;
}

type Labels = Readonly<Record<string, string>>;
type Child = Counter | Gauge | Histogram;

/** Milliseconds that a `collect` may take. */
const collectTimeoutMs = 1000;

const defaultMaxSeries = 200;

/** Stands in for the gauges beyond the limit: several values set on one gauge would mean nothing. */
const idleGauge: Gauge = { set: () => undefined, inc: () => undefined, dec: () => undefined };

const log = getLogger("metrics");

/** One declared metric with its numbers. It never throws at those who write to it: it refuses, and counts that. */
export class MetricFamily {
  readonly description: MetricDescription;
  readonly cells: Cells;
  readonly #maxSeries: number;
  readonly #read: (() => unknown) | undefined;
  readonly #refuse: (reason: Refusal) => void;
  #reading: Promise<unknown> | undefined;
  #failing = false;

  constructor(
    description: MetricDescription,
    options: { declaration: FamilyDeclaration; refuse: (reason: Refusal) => void },
  ) {
    const { maxSeries = defaultMaxSeries, collect, buckets } = options.declaration;
    this.description = description;
    this.cells = openCells(description, buckets);
    this.#maxSeries = maxSeries;
    this.#read = collect;
    this.#refuse = options.refuse;
    if (collect) this.cells.replace([]);
  }

  /** What the declaring plugin gets: a child, a family of children, or nothing where we do the reading. */
  writer(): Child | MetricChildren<Child> | undefined {
    if (this.#read) return undefined;
    const { labels, type } = this.description;
    if (labels.length === 0) return this.#child({});
    return new MetricChildren<Child>(labels, {
      maxSeries: this.#maxSeries,
      make: (values) => this.#child(values),
      refuse: () => this.#refuse("series"),
      ...(type === "gauge" ? { overflow: idleGauge } : {}),
    });
  }

  #child(labels: Labels): Child {
    const cell = this.cells.bind(labels);
    const checked = (write: (value: number) => void) => (value = 1) => {
      if (this.#takes(value)) write(value);
      else this.#refuse("value");
    };
    if (this.description.type === "counter") return { inc: checked(cell.add) };
    if (this.description.type === "histogram") return { observe: checked(cell.observe) };
    return { set: checked(cell.set), inc: checked(cell.add), dec: checked((by) => cell.add(-by)) };
  }

  #takes(value: number): boolean {
    return Number.isFinite(value) && (this.description.type !== "counter" || value >= 0);
  }

  /** Reads what is to be read at scrape time; never rejects, and never takes longer than a second. */
  async collect(): Promise<void> {
    if (!this.#read) return;
    try {
      this.cells.replace(this.#samples(await this.#boundedReading(this.#read)));
      this.#failing = false;
    } catch (error) {
      this.cells.replace([]);
      this.#refuse("collect");
      if (!this.#failing) {
        log.warn("Cannot read a metric: left out", { metric: this.description.name, error });
      }
      this.#failing = true;
    }
  }

  async #boundedReading(read: () => unknown): Promise<unknown> {
    if (this.#reading) throw new Error("the reading before has not ended yet");
    const reading = Promise.resolve().then(read).finally(() => this.#reading = undefined);
    this.#reading = reading;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no reading within ${collectTimeoutMs} ms`)),
        collectTimeoutMs,
      );
    });
    try {
      return await Promise.race([reading, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #samples(reading: unknown): readonly CellSample[] {
    if (reading === undefined) return [];
    const samples = typeof reading === "number" ? [{ labels: {}, value: reading }] : reading as CellSample[];
    if (samples.length > this.#maxSeries) this.#refuse("series");
    return samples.slice(0, this.#maxSeries).flatMap(({ labels, value }: CellSample) => {
      if (!this.#takes(value)) {
        this.#refuse("value");
        return [];
      }
      const values = this.description.labels.map((name) => [name, labelValue(labels[name])] as const);
      return [{ labels: Object.fromEntries(values), value }];
    });
  }

  /** Description and current numbers. */
  async snapshot(): Promise<MetricSnapshot> {
    const readings = await this.cells.read();
    const samples = this.description.type === "histogram" ? histogramSamples(readings) : readings;
    const collected = this.#read !== undefined;
    return { ...this.description, collected, samples: samples as readonly SampleSnapshot[] };
  }
}

/** The library lists buckets, sum and count of each combination of labels one after the other, in this order. */
function histogramSamples(readings: readonly CellReading[]): SampleSnapshot[] {
  const samples: SampleSnapshot[] = [];
  let buckets: { bound: number; count: number }[] = [];
  let sum = 0;
  for (const { labels, value, metricName = "" } of readings) {
    if (metricName.endsWith("_bucket")) {
      buckets.push({ bound: labels.le === "+Inf" ? Infinity : Number(labels.le), count: value });
    } else if (metricName.endsWith("_sum")) sum = value;
    else {
      samples.push({ labels: labels as Labels, value: sum, histogram: { count: value, buckets } });
      buckets = [];
    }
  }
  return samples;
}
