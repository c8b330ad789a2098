import { z } from "zod";
import { durationMs } from "../../core/units.ts";

/** Settings under `plugins.metrics`. */
export const metricsConfig = z.strictObject({
  host: z.boolean().default(true)
    .describe("Measure the host too: CPU, memory, disk and network"),
  event_loop_interval: durationMs({ min: 10, max: 10_000 }).prefault("100ms")
    .describe("Time between two measurements of the lag of the event loop"),
});

/** Settings of the metrics, parsed. */
export type MetricsConfig = z.output<typeof metricsConfig>;
