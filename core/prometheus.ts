import { Counter, Gauge, Histogram, type Metric, Registry, type RegistryContentType } from "prom-client";
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
  readonly metric: Metric;
  /** The way to write the cell with these labels: adds (counter, gauge), sets (gauge) or observes (histogram). */
  bind(labels: Readonly<Record<string, string>>): CellWriter;
  /** Puts these samples in place of all that is there. */
  replace(samples: readonly CellSample[]): void;
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
  const config = {
    name: description.name,
    help: description.help,
    labelNames: [...description.labels],
    registers: [],
  };
  if (description.type === "histogram") {
    const metric = new Histogram({ ...config, ...(buckets ? { buckets: [...buckets] } : {}) });
    return { metric, bind: (labels) => writer(metric.labels(labels)), replace: () => undefined };
  }
  if (description.type === "gauge") {
    const metric = new Gauge(config);
    const replace = replacing(metric, (sample) => metric.set(sample.labels, sample.value));
    return { metric, bind: (labels) => writer(metric.labels(labels)), replace };
  }
  const metric = new Counter(config);
  const replace = replacing(metric, (sample) => metric.inc(sample.labels, sample.value));
  return { metric, bind: (labels) => writer(metric.labels(labels)), replace };
}

interface LibraryChild {
  inc?(value?: number): void;
  set?(value: number): void;
  observe?(value: number): void;
}

function writer(child: LibraryChild): CellWriter {
  return {
    add: (by) => child.inc?.(by),
    set: (value) => child.set?.(value),
    observe: (value) => child.observe?.(value),
  };
}

function replacing(metric: Counter | Gauge, write: (sample: CellSample) => void): Cells["replace"] {
  return (samples) => {
    metric.reset();
    metric.remove({}); // a reset leaves a metric without labels at 0, which would pass for a reading
    for (const sample of samples) write(sample);
  };
}

/** All current samples of a metric. */
export async function readCells(cells: Cells): Promise<readonly CellReading[]> {
  return (await cells.metric.get()).values as readonly CellReading[];
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
  for (const cells of all) registry.registerMetric(view(cells.metric, format));
  return { contentType: type, body: await registry.metrics() };
}

/**
 * A stand-in that the library may write out. Its OpenMetrics writer renames the counters it is given for good,
 * and writes the bounds of buckets as `1` where the format asks for `1.0`.
 */
function view(metric: Metric, format: ExpositionFormat): Metric {
  const read = async () => {
    const reading = await metric.get();
    if (format === "prometheus") return reading;
    const values = (reading.values as readonly CellReading[]).map((value) => ({
      ...value,
      labels: typeof value.labels.le === "number"
        ? { ...value.labels, le: canonical(value.labels.le) }
        : value.labels,
    }));
    return { ...reading, name: familyName(reading.name), values };
  };
  const { name, type } = metric as unknown as { name: string; type: string };
  return { name, type, get: read } as unknown as Metric;
}

function canonical(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : `${bound}`;
}
