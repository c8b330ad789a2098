import { setImmediate } from "node:timers/promises";
import type { JobFilter, JobReader } from "./job_reader.ts";

/** Ended jobs that are looked at, and how many of them at once. */
const maxEnded = 100_000;
const pageSize = 2000;

/** Figures about jobs: unfinished ones now, ended ones since a time. */
export interface JobStatistics {
  readonly byState: Readonly<Record<string, number>>;
  /** Completed of completed and failed; null without any. */
  readonly successRatio: number | null;
  readonly meanMs: number | null;
  /** 95 of 100 completed or failed within this time. */
  readonly p95Ms: number | null;
  /** Pending and waiting. */
  readonly queueDepth: number;
  /** Since when the one that waits longest is due; null where none is. */
  readonly oldestDueMs: number | null;
  /** False where more ended than were looked at. */
  readonly isComplete: boolean;
}

/** Reads in pages, so that nothing holds the process up; durations are those of the last attempt. */
export async function jobStatistics(
  reader: JobReader,
  { filter, endedSinceMs, nowMs }: { filter: JobFilter; endedSinceMs: number; nowMs: number },
): Promise<JobStatistics> {
  const unfinished = await reader.countUnfinished(filter);
  const oldestDueMs = await reader.oldestDue(nowMs, filter);
  const ended = { completed: 0, failed: 0, cancelled: 0 };
  const durations: number[] = [];
  let seen = 0;
  let page = await reader.ended({ ...filter, endedSinceMs }, { limit: pageSize });
  while (page.length > 0 && seen < maxEnded) {
    seen += page.length;
    for (const { state, started_ms, ended_ms } of page) {
      ended[state as keyof typeof ended]++;
      if (state !== "cancelled" && started_ms !== null) durations.push(Math.max(0, ended_ms! - started_ms));
    }
    if (page.length < pageSize) {
      page = [];
      break;
    }
    await setImmediate();
    page = await reader.ended({ ...filter, endedSinceMs }, { limit: pageSize, after: page.at(-1) });
  }
  durations.sort((one, other) => one - other);
  const decided = ended.completed + ended.failed;
  const count = durations.length;
  return {
    byState: { ...unfinished, ...ended },
    successRatio: decided === 0 ? null : ended.completed / decided,
    meanMs: count === 0 ? null : durations.reduce((sum, each) => sum + each, 0) / count,
    p95Ms: count === 0 ? null : durations[Math.ceil(count * 0.95) - 1]!,
    queueDepth: unfinished.pending + unfinished.waiting,
    oldestDueMs: oldestDueMs ?? null,
    isComplete: page.length === 0,
  };
}
