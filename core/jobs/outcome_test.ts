import { expect } from "expect";
import fc from "fast-check";
import { startJobKernel, testJobs } from "../../tests/support/job_kernel.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { z } from "zod";
import { Secret } from "../secret.ts";
import { defineJob, PermanentFailure } from "./job.ts";
import { decideOutcome } from "./outcome.ts";
import { fullRetry, retryDelayMs } from "./retry_delay.ts";

const retry = fullRetry({ maxAttempts: 3, firstDelayMs: 1000, factor: 2, maxDelayMs: 5000 });
const rest = { cause: undefined, attempt: 1, retry, timeLimitMs: 1000, random: () => 1 };
const threw = { kind: "threw", error: new Error("no") } as const;
const returned = { kind: "returned", result: 1 } as const;
const ignored = { kind: "ignored_signal" } as const;

Deno.test("what becomes of a job follows from how its work ended and why it was told to", () => {
  expect(decideOutcome(returned, rest)).toEqual({ move: "complete", result: "1" });
  expect(decideOutcome({ kind: "returned", result: undefined }, rest)).toEqual({
    move: "complete",
    result: null,
  });
  expect(decideOutcome(threw, rest)).toMatchObject({ move: "postpone", delayMs: 1000 });
  expect(decideOutcome(threw, { ...rest, attempt: 3 })).toMatchObject({ move: "fail" });
  expect(decideOutcome({ kind: "threw", error: new PermanentFailure("x") }, rest)).toMatchObject({
    move: "fail",
  });
  for (const end of [returned, threw, ignored]) {
    expect(decideOutcome(end, { ...rest, cause: "cancelled" })).toEqual({ move: "cancel" });
    expect(decideOutcome(end, { ...rest, cause: "stopping" })).toEqual({ move: "handBack" });
    expect(decideOutcome(end, { ...rest, cause: "lease_lost" })).toEqual({ move: "none" });
  }
  expect(decideOutcome(returned, { ...rest, cause: "timed_out" })).toMatchObject({ move: "postpone" });
  expect(decideOutcome(ignored, { ...rest, cause: "timed_out" })).toMatchObject({ move: "fail" });
});

Deno.test("results and errors are kept without secrets, and bounded", () => {
  const result = { token: new Secret("hush"), url: "https://me:pw@example.org/" };
  const kept = decideOutcome({ kind: "returned", result }, rest);
  expect(kept).toMatchObject({ result: '{"token":"[redacted]","url":"https://[redacted]@example.org/"}' });
  const large = decideOutcome({ kind: "returned", result: "x".repeat(300_000) }, rest);
  expect(large).toMatchObject({ move: "complete", result: null, remark: expect.stringContaining("300002") });
  const error = new Error(`${"x".repeat(5000)} cc_abc_${"k".repeat(40)}`);
  const failed = decideOutcome({ kind: "threw", error }, { ...rest, attempt: 3 });
  expect((failed as { error: string }).error.length).toBeLessThan(2100);
  const key = decideOutcome({ kind: "threw", error: new Error(`bad cc_abc_${"k".repeat(40)}`) }, rest);
  expect((key as { error: string }).error).not.toContain("kkkk");
});

Deno.test("delays grow by the factor up to the longest, within the upper half", () => {
  const delays = (random: number) =>
    [1, 2, 3, 4, 5].map((attempt) => retryDelayMs(attempt, { retry, random: () => random }));
  expect(delays(1)).toEqual([1000, 2000, 4000, 5000, 5000]);
  expect(delays(0)).toEqual([500, 1000, 2000, 2500, 2500]);
  fc.assert(fc.property(
    fc.nat(1000),
    fc.double({ min: 0, max: 1, noNaN: true }),
    (attempt, random) => {
      const delay = retryDelayMs(attempt + 1, { retry, random: () => random });
      expect(delay).toBeGreaterThanOrEqual(500);
      expect(delay).toBeLessThanOrEqual(5000);
    },
  ));
  expect(() => fullRetry({ maxAttempts: 0 })).toThrow("maxAttempts");
  expect(() => fullRetry({ factor: NaN })).toThrow("factor");
});

testJobs("the next attempt waits by the clock of the agent", async (place) => {
  let nowMs = Date.parse("2030-01-01T00:00:00Z");
  const clock = { now: () => nowMs, monotonic: () => performance.now() };
  const work = defineJob("test.clock", z.unknown());
  const poke = defineJob("test.poke", z.unknown());
  let attempts = 0;
  await using kernel = await startJobKernel((host) => {
    host.job(poke, () => {});
    host.job(work, () => {
      attempts++;
      throw new Error("no");
    }, { retry: { maxAttempts: 2, firstDelayMs: 3_600_000, maxDelayMs: 3_600_000 } });
  }, { ...place, clock });
  const { id } = await kernel.host.enqueue(work, null);
  const waiting = await kernel.reach(id, "waiting");
  const delayMs = Date.parse(waiting.run_at) - nowMs;
  expect(delayMs).toBeGreaterThanOrEqual(1_800_000);
  expect(delayMs).toBeLessThanOrEqual(3_600_000);
  const look = async () => {
    const poked = await kernel.host.enqueue(poke, null);
    await kernel.reach(poked.id, "completed");
  };
  nowMs += delayMs - 1;
  await look();
  expect(attempts).toBe(1);
  nowMs += 1;
  await look();
  await waitFor(() => attempts === 2, { what: "the second attempt" });
  await kernel.reach(id, "failed");
});
