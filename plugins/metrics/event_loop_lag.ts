import type { Clock } from "../../core/clock.ts";
import type { PluginMetrics } from "../../core/metrics.ts";

/** Span of the maximum: longer than a usual scrape interval, so that no peak falls between two scrapes. */
const windowMs = 60_000;

/**
 * Measures how late timers fire, which is how long everything else waits too. Starts at once; returns the way to stop.
 * A timer of our own, since `monitorEventLoopDelay` of Deno 2.9 does not see a loop that is blocked.
 */
export function measureEventLoopLag(
  metrics: PluginMetrics,
  { clock, intervalMs }: { clock: Clock; intervalMs: number },
): () => void {
  const lag = metrics.histogram({
    name: "commandcenter_process_event_loop_lag_seconds",
    help: "How late a timer of the event loop fired",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  });
  const recent = new Float64Array(Math.max(1, Math.ceil(windowMs / intervalMs)));
  let place = 0;
  metrics.gauge({
    name: "commandcenter_process_event_loop_lag_max_seconds",
    help: "Longest lag of the event loop within the last minute",
    collect: () => recent.reduce((longest, each) => Math.max(longest, each), 0),
  });
  let timer: ReturnType<typeof setTimeout>;
  const measure = () => {
    const expected = clock.monotonic() + intervalMs;
    timer = setTimeout(() => {
      const seconds = Math.max(0, clock.monotonic() - expected) / 1000;
      lag.observe(seconds);
      recent[place] = seconds;
      place = (place + 1) % recent.length;
      measure();
    }, intervalMs);
  };
  measure();
  return () => clearTimeout(timer);
}
