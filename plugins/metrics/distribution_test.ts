import { expect } from "expect";
import { distributionOf } from "./distribution.ts";

const sample = (sum: number, counts: readonly [number, number, number]) => ({
  labels: {},
  value: sum,
  histogram: {
    count: counts[2],
    buckets: [1, 2, Infinity].map((bound, index) => ({ bound, count: counts[index]! })),
  },
});

Deno.test("distributionOf interpolates inside a bucket", () => {
  expect(distributionOf({ samples: [sample(120, [0, 100, 100])] })).toEqual({
    count: 100,
    mean: 1.2,
    p50: 1.5,
    p99: 1.99,
  });
});

Deno.test("distributionOf merges all label combinations", () => {
  const { count, mean, p50 } = distributionOf({ samples: [sample(1, [2, 2, 2]), sample(5, [0, 2, 2])] });
  expect({ count, mean, p50 }).toEqual({ count: 4, mean: 1.5, p50: 1 });
});

Deno.test("distributionOf ends at the last bound that is known", () => {
  expect(distributionOf({ samples: [sample(900, [0, 0, 3])] }).p99).toBe(2);
});

Deno.test("distributionOf knows nothing of what was never observed", () => {
  const nothing = { count: 0, mean: null, p50: null, p99: null };
  expect(distributionOf({ samples: [] })).toEqual(nothing);
  expect(distributionOf({ samples: [sample(0, [0, 0, 0])] })).toEqual(nothing);
});
