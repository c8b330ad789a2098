import type { CellReading } from "./prometheus.ts";

/** Upper bounds where none are declared, in seconds: what people wait for. */
const defaultBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Cell {
  readonly labels: Readonly<Record<string, string>>;
  /** Observations by bucket, not yet summed up; the last one is above every bound. */
  readonly counts: number[];
  sum: number;
}

/** The numbers of one histogram. The library's own costs a microsecond per observation, and every request makes one. */
export class HistogramCells {
  readonly #name: string;
  readonly #bounds: readonly number[];
  readonly #cells: Cell[] = [];

  constructor(name: string, bounds: readonly number[] = defaultBounds) {
    this.#name = name;
    this.#bounds = bounds;
  }

  /** The way to observe under these labels, which no other cell may have. */
  bind(labels: Readonly<Record<string, string>>): (value: number) => void {
    const bounds = this.#bounds;
    const cell: Cell = { labels, counts: new Array(bounds.length + 1).fill(0), sum: 0 };
    this.#cells.push(cell);
    return (value) => {
      let bucket = 0;
      while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
      cell.counts[bucket]!++;
      cell.sum += value;
    };
  }

  /** For each combination of labels its cumulative buckets, then sum and count. */
  read(): CellReading[] {
    return this.#cells.flatMap(({ labels, counts, sum }) => {
      let count = 0;
      const buckets = counts.map((inBucket, index): CellReading => {
        count += inBucket;
        const le = this.#bounds[index] ?? "+Inf";
        return { labels: { ...labels, le }, value: count, metricName: `${this.#name}_bucket` };
      });
      return [
        ...buckets,
        { labels, value: sum, metricName: `${this.#name}_sum` },
        { labels, value: count, metricName: `${this.#name}_count` },
      ];
    });
  }
}
