import type { MetricSnapshot } from "../../core/metrics.ts";

/** What a histogram tells in four numbers, in its unit; null while it has observed nothing. */
export interface Distribution {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
}

interface Bucket {
  readonly bound: number;
  /** Observations up to the bound. */
  readonly count: number;
}

/** Merges all label combinations of a histogram. Percentiles are estimated as Prometheus does it. */
export function distributionOf({ samples }: Pick<MetricSnapshot, "samples">): Distribution {
  const merged = new Map<number, number>();
  let count = 0;
  let sum = 0;
  for (const { value, histogram } of samples) {
    count += histogram?.count ?? 0;
    sum += value;
    for (const bucket of histogram?.buckets ?? []) {
      merged.set(bucket.bound, (merged.get(bucket.bound) ?? 0) + bucket.count);
    }
  }
  const buckets = [...merged].map(([bound, upTo]) => ({ bound, count: upTo }));
  const percentile = (share: number) => count === 0 ? null : estimate(buckets, share * count);
  return { count, mean: count === 0 ? null : sum / count, p50: percentile(0.5), p99: percentile(0.99) };
}

/** Where the observation of this rank lies, if those of a bucket are spread evenly; at most the last finite bound. */
function estimate(buckets: readonly Bucket[], rank: number): number {
  let lower: Bucket = { bound: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      if (bucket.bound === Infinity) return lower.bound;
      const share = (rank - lower.count) / (bucket.count - lower.count);
      return lower.bound + (bucket.bound - lower.bound) * share;
    }
    lower = bucket;
  }
  return lower.bound;
}
