import type { Clock } from "../clock.ts";
import type { PluginMetrics } from "../metrics.ts";
import type { JobReader } from "./job_reader.ts";
import type { Outcome } from "./outcome.ts";

/** What the jobs report to while they work. */
export interface JobMetrics {
  readonly enqueued: (seconds: number) => void;
  readonly ended: (run: { name: string; outcome: Outcome["move"]; seconds: number }) => void;
}

const outcomes: Readonly<Record<Outcome["move"], string>> = {
  complete: "completed",
  fail: "failed",
  postpone: "waiting",
  cancel: "cancelled",
  handBack: "returned",
  none: "lost",
};

/** Declares the metrics of the jobs; once per agent. */
export function declareJobMetrics(
  metrics: PluginMetrics,
  { reader, clock, streams }: { reader: JobReader; clock: Clock; streams: () => number },
): JobMetrics {
  metrics.gauge({
    name: "commandcenter_jobs",
    help: "Unfinished jobs in the database by state; those of all agents that share it",
    labels: ["state"],
    collect: async () =>
      Object.entries(await reader.countUnfinished()).map(([state, value]) => ({ labels: { state }, value })),
  });
  metrics.gauge({
    name: "commandcenter_jobs_oldest_due_seconds",
    help: "How long the job that waits longest has been due; 0 where none is",
    collect: async () => {
      const nowMs = clock.now();
      return (nowMs - (await reader.oldestDue(nowMs) ?? nowMs)) / 1000;
    },
  });
  metrics.gauge({
    name: "commandcenter_jobs_streams",
    help: "Connections that follow jobs",
    collect: streams,
  });
  const enqueued = metrics.histogram({
    name: "commandcenter_jobs_enqueue_seconds",
    help: "Time until a job that was enqueued is on disk, or part of its transaction",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1],
  });
  const seconds = metrics.histogram({
    name: "commandcenter_jobs_run_seconds",
    help: "Duration of the attempts of this agent",
    labels: ["name"],
    buckets: [0.01, 0.1, 1, 10, 60, 600, 3600],
  });
  const ended = metrics.counter({
    name: "commandcenter_jobs_attempts_total",
    help:
      "Attempts of this agent that ended, by what became of the job: completed, waiting for another attempt, " +
      "failed, cancelled, returned to the queue",
    labels: ["name", "outcome"],
  });
  return {
    enqueued: (value) => enqueued.observe(value),
    ended: ({ name, outcome, seconds: value }) => {
      seconds.labels({ name }).observe(value);
      ended.labels({ name, outcome: outcomes[outcome] }).inc();
    },
  };
}
