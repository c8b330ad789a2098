import { expect } from "expect";
import { shiftedClock } from "../tests/support/shifted_clock.ts";
import { waitFor } from "../tests/support/wait_for.ts";
import { schedule } from "./schedule.ts";

const onError = (error: unknown) => {
  throw error;
};

Deno.test("work is done in its zone, also where 02:30 is skipped, and once where it comes twice", async () => {
  for (
    const [time, timezone] of [
      ["2026-03-29T00:59:59.800Z", "Europe/Berlin"],
      ["2026-03-08T06:59:59.800Z", "America/New_York"],
      ["2026-10-25T00:29:59.800Z", "Europe/Berlin"],
    ] as const
  ) {
    let runs = 0;
    const clock = shiftedClock(time);
    const stop = schedule("30 2 * * *", { work: () => runs++, onError, clock, timezone })();
    await waitFor(() => Promise.resolve(runs === 1), { what: "the run" });
    stop();
  }
  let second = 0;
  const clock = shiftedClock("2026-10-25T01:29:59.900Z"); // 02:30 for the second time
  const timezone = "Europe/Berlin";
  const stop = schedule("30 2 * * *", { work: () => second++, onError, clock, timezone })();
  await waitFor(() => Promise.resolve(clock.now() > Date.parse("2026-10-25T01:30:00.200Z")), {
    what: "02:30",
  });
  stop();
  expect(second).toBe(0);
});

Deno.test("work never runs twice at once, and goes on after it failed", async () => {
  let running = 0;
  let most = 0;
  const errors: unknown[] = [];
  const gates: (() => void)[] = [];
  const clock = shiftedClock("2026-01-01T00:00:00Z");
  const work = async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => gates.push(resolve));
    running--;
    throw new Error("no");
  };
  const stop = schedule("* * * * * *", { work, onError: (error) => errors.push(error), clock })();
  await waitFor(() => Promise.resolve(gates.length === 1), { what: "the first run" });
  const beganMs = clock.now();
  await waitFor(() => Promise.resolve(clock.now() > beganMs + 1500), { what: "the next second" });
  expect(gates).toHaveLength(1);
  gates[0]!();
  await waitFor(() => Promise.resolve(gates.length === 2), { what: "the second run" });
  stop();
  gates[1]!();
  await waitFor(() => Promise.resolve(errors.length === 2), { what: "both errors" });
  expect(most).toBe(1);
});

Deno.test("jitter puts the begin off, and nothing comes twice within it", async () => {
  const times: number[] = [];
  const clock = shiftedClock("2026-01-01T00:00:00.700Z");
  const stop = schedule("* * * * * *", {
    work: () => times.push(clock.now() % 1000),
    onError,
    clock,
    jitterMs: 500,
    random: () => 1,
  })();
  await waitFor(() => Promise.resolve(times.length === 2), { what: "two runs" });
  stop();
  for (const ms of times) expect(ms).toBeGreaterThanOrEqual(500);
});

Deno.test("a bad pattern, zone or jitter is refused before anything starts", () => {
  const clock = shiftedClock("2026-01-01T00:00:00Z");
  const parts = { work: () => {}, onError, clock };
  expect(() => schedule("never", parts)).toThrow('Cannot schedule "never"');
  expect(() => schedule("* * * * *", { ...parts, timezone: "Berlin" })).toThrow("no IANA time zone");
  expect(() => schedule("* * * * *", { ...parts, jitterMs: -1 })).toThrow("jitterMs");
});
