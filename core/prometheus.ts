import { Counter, Gauge, type Metric, Registry, type RegistryContentType } from "prom-client";
import { HistogramCells } from "./histogram_cells.ts";
import { familyName, type MetricDescription } from "./metric_rules.ts";

/** Text formats: Prometheus 0.0.4 and OpenMetrics 1.0. */
export type ExpositionFormat = "prometheus" | "openmetrics";

/** One sample: label values by name, and a number. */
export interface CellSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The numbers of one metric, by label values. */
export interface Cells {
  readonly description: MetricDescription;
  /** The way to write the cell with these labels: adds (counter, gauge), sets (gauge) or observes (histogram). */
  bind(labels: Readonly<Record<string, string>>): CellWriter;
  /** Puts these samples in place of all that is there. */
  replace(samples: readonly CellSample[]): void;
  /** All current samples. */
  read(): Promise<readonly CellReading[]>;
}

interface CellWriter {
  add(by: number): void;
  set(value: number): void;
  observe(value: number): void;
}

/** What a scrape or a snapshot reads of one metric; the parts of a histogram carry a `metricName`. */
export interface CellReading {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Makes the cells of one metric. They belong to no registry of the library: it is we who decide what is exposed. */
export function openCells(description: MetricDescription, buckets: readonly number[] | undefined): Cells {
  if (description.type === "histogram") return histogramCells(description, buckets);
  const { name, help, labels } = description;
  const config = { name, help, labelNames: [...labels], registers: [] };
  return description.type === "gauge"
    ? gaugeCells(description, new Gauge(config))
    : counterCells(description, new Counter(config));
}

function histogramCells(description: MetricDescription, buckets: readonly number[] | undefined): Cells {
  const cells = new HistogramCells(description.name, buckets);
  return {
    description,
    bind: (labels) => ({ ...nothing, observe: cells.bind(labels) }),
    replace: () => {},
    read: () => Promise.resolve(cells.read()),
  };
}

function gaugeCells(description: MetricDescription, metric: Gauge): Cells {
  return {
    description,
    bind: (labels) => {
      const child = metric.labels(labels);
      return { ...nothing, add: (by) => child.inc(by), set: (value) => child.set(value) };
    },
    replace: replacing(metric, (sample) => metric.set(sample.labels, sample.value)),
    read: () => readLibrary(metric),
  };
}

/** What is added waits for the next reading: the library's own way in costs half a microsecond. */
function counterCells(description: MetricDescription, metric: Counter): Cells {
  const waiting: (() => void)[] = [];
  return {
    description,
    bind: (labels) => {
      const child = metric.labels(labels);
      child.inc(0); // shows from the beginning
      let added = 0;
      waiting.push(() => {
        if (added > 0) child.inc(added);
        added = 0;
      });
      return { ...nothing, add: (by) => void (added += by) };
    },
    replace: replacing(metric, (sample) => metric.inc(sample.labels, sample.value)),
    read: () => {
      for (const flush of waiting) flush();
      return readLibrary(metric);
    },
  };
}

/** What a kind of metric has no use for. */
const nothing: CellWriter = { add: () => {}, set: () => {}, observe: () => {} };

async function readLibrary(metric: Metric): Promise<readonly CellReading[]> {
  return (await metric.get()).values as readonly CellReading[];
}

function replacing(metric: Counter | Gauge, write: (sample: CellSample) => void): Cells["replace"] {
  return (samples) => {
    metric.reset();
    metric.remove({}); // a reset leaves a metric without labels at 0, which would pass for a reading
    for (const sample of samples) write(sample);
  };
}

/** Writes the metrics in the given text format. */
export async function exposeCells(
  all: readonly Cells[],
  format: ExpositionFormat,
): Promise<{ contentType: string; body: string }> {
  const type: RegistryContentType = format === "openmetrics"
    ? Registry.OPENMETRICS_CONTENT_TYPE
    : Registry.PROMETHEUS_CONTENT_TYPE;
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(type);
  for (const cells of all) registry.registerMetric(view(cells, format));
  return { contentType: type, body: await registry.metrics() };
}

/**
 * A stand-in that the library may write out. Its OpenMetrics writer renames the counters it is given for good,
 * and writes the bounds of buckets as `1` where the format asks for `1.0`.
 */
function view(cells: Cells, format: ExpositionFormat): Metric {
  const { name, help, type } = cells.description;
  const get = async () => {
    const readings = await cells.read();
    if (format === "prometheus") return { name, help, type, aggregator: "sum", values: readings };
    const values = readings.map((reading) => ({
      ...reading,
      labels: typeof reading.labels.le === "number"
        ? { ...reading.labels, le: canonical(reading.labels.le) }
        : reading.labels,
    }));
    return { name: familyName(name), help, type, aggregator: "sum", values };
  };
  return { name, type, get } as unknown as Metric;
}

function canonical(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : `${bound}`;
}
