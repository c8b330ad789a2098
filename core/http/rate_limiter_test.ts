import { expect } from "expect";
import fc from "fast-check";
import { RateLimiter } from "./rate_limiter.ts";

Deno.test("a burst goes through, then the rate holds, and a pause brings the burst back", () => {
  const limiter = new RateLimiter({ perSecond: 10, burst: 3 });
  expect([0, 0, 0, 0].map(() => limiter.take("a", 0))).toEqual([0, 0, 0, 100]);
  expect(limiter.take("a", 99)).toBeGreaterThan(0);
  expect(limiter.take("a", 100)).toBe(0);
  expect(limiter.take("b", 100)).toBe(0);
  expect([0, 0, 0, 0].map(() => limiter.take("a", 1000))).toEqual([0, 0, 0, 100]);
});

Deno.test("however requests come, no more pass than burst plus rate times time", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 });
  fc.assert(
    fc.property(
      gaps,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 50 }),
      (gaps, burst, perSecond) => {
        const limiter = new RateLimiter({ perSecond, burst });
        let now = 0;
        let passed = 0;
        for (const gap of gaps) {
          now += gap;
          if (limiter.take("a", now) === 0) passed++;
        }
        expect(passed).toBeLessThanOrEqual(burst + (now * perSecond) / 1000 + 1e-6);
      },
    ),
  );
});

Deno.test("whoever waits as long as told gets through", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 1000 }), (burst, perSecond) => {
      const limiter = new RateLimiter({ perSecond, burst });
      let waitMs = 0;
      while (waitMs === 0) waitMs = limiter.take("a", 5);
      expect(limiter.take("a", 5 + waitMs)).toBe(0);
    }),
  );
});

Deno.test("memory is bounded, and full buckets are forgotten first", () => {
  const limiter = new RateLimiter({ perSecond: 1, burst: 1, capacity: 100 });
  for (let index = 0; index < 100; index++) limiter.take(`early ${index}`, 0);
  limiter.take("recent", 5000);
  expect(limiter.size).toBe(1);
  for (let index = 0; index < 1000; index++) limiter.take(`late ${index}`, 5001);
  expect(limiter.size).toBe(100);
});
