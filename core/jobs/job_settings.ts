import { z } from "zod";
import { durationMs } from "../units.ts";

/** The `jobs:` section of the configuration. */
export const jobSettings = z.strictObject({
  max_running: z.int().min(0).max(1000).default(16)
    .describe("Jobs that this agent runs at once; 0 leaves them to other agents on the same database"),
  history: durationMs({ min: 60_000 }).prefault("30d").describe("How long jobs are kept after their end"),
  lease: durationMs({ min: 500, max: 3_600_000 }).prefault("15s")
    .describe("Silence after which another agent takes up the job of one that was lost"),
  max_streams: z.int().min(0).max(100_000).default(1000)
    .describe("WebSocket and SSE connections that follow jobs at the same time"),
});

/** Settings of the jobs, parsed. */
export type JobSettings = z.output<typeof jobSettings>;
