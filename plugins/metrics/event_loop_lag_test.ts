import { expect } from "expect";
import { waitFor } from "../../tests/support/wait_for.ts";
import { systemClock } from "../../core/clock.ts";
import { Metrics } from "../../core/metrics.ts";
import { measureEventLoopLag } from "./event_loop_lag.ts";

async function read(metrics: Metrics): Promise<{ count: number; max: number }> {
  const snapshot = await metrics.snapshot();
  const sample = (name: string) => snapshot.find((metric) => metric.name.endsWith(name))?.samples[0];
  return {
    count: sample("event_loop_lag_seconds")?.histogram?.count ?? 0,
    max: sample("event_loop_lag_max_seconds")?.value ?? NaN,
  };
}

function block(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until) { /* the point is to do nothing else */ }
}

Deno.test("a blocked event loop shows as lag", async () => {
  const metrics = new Metrics();
  const stop = measureEventLoopLag(metrics.forPlugin("metrics"), { clock: systemClock, intervalMs: 10 });
  try {
    await waitFor(async () => (await read(metrics)).count >= 2, { what: "two measurements" });
    block(200);
    await waitFor(async () => (await read(metrics)).max > 0.1, { what: "the lag to be seen" });
    expect((await read(metrics)).max).toBeLessThan(5);
  } finally {
    stop();
  }
  const { count } = await read(metrics);
  block(30);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect((await read(metrics)).count).toBe(count);
});
