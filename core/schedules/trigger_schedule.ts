import { type Clock, newId } from "../clock.ts";
import { currentContext, withContext } from "../context.ts";
import { Problem } from "../errors.ts";
import type { Jobs } from "../jobs/open_jobs.ts";
import {
  type ScheduleEvents,
  scheduleMissed,
  scheduleSkipped,
  scheduleTriggered,
} from "./schedule_events.ts";
import type { ScheduleStore, ScheduleTrx } from "./schedule_store.ts";
import type { RunRow, ScheduleRow } from "./schedule_tables.ts";
import { Timing } from "./timing.ts";

/** What came later than that was missed, in milliseconds. */
export const graceMs = 60_000;
/** Occurrences that are made up for at the most. */
const maxMissed = 100;
/** Occurrences that are looked at; older ones are not even counted. */
const maxPassed = 1000;

/** What turns an occurrence into a job. */
export interface TriggerParts {
  readonly store: ScheduleStore;
  readonly events: ScheduleEvents;
  readonly jobs: Pick<Jobs, "find" | "enqueue">;
  readonly clock: Clock;
  readonly nodeId: string;
}

type Occurrence = Pick<RunRow, "planned_ms" | "reason">;

/**
 * Starts what a schedule is due for, in one transaction with its next time; false where it has to wait for a job of its
 * own, or somebody else is at it.
 */
export async function triggerDue(parts: TriggerParts, id: string): Promise<boolean> {
  const { store, clock } = parts;
  return await store.db.transaction().execute(async (trx) => {
    const nowMs = clock.now();
    const row = await store.lockDue(trx, { id, nowMs });
    if (!row || row.next_ms === null) return false;
    const timing = new Timing(JSON.parse(row.timing));
    const passed = timing.between(row.next_ms, { untilMs: nowMs, count: maxPassed });
    const { chosen, given } = choose(passed, { row, nowMs });
    if (given.length > 0) await tellMissed(trx, { row, given, parts });
    for (const [index, occurrence] of chosen.entries()) {
      // Those that are made up for come one after the other, instead of all but the first being skipped.
      const isBlocked = occurrence.reason === "missed" && row.missed === "all" && row.overlap === 0 &&
        await store.unfinishedJob(trx, row.id) !== undefined;
      if (isBlocked) {
        if (occurrence.planned_ms !== row.next_ms) {
          await store.update(trx, { id, set: { next_ms: occurrence.planned_ms } });
        }
        return index > 0;
      }
      const context = { correlationId: newId() };
      await withContext(context, () => trigger(trx, { row, occurrence, parts }));
    }
    await store.update(trx, { id, set: { next_ms: timing.next(nowMs) ?? null } });
    return true;
  });
}

/** Starts a schedule's job, once for each planned moment; resolves to the run, or undefined where somebody has had it. */
export async function trigger(
  trx: ScheduleTrx,
  { row, occurrence, parts }: { row: ScheduleRow; occurrence: Occurrence; parts: TriggerParts },
): Promise<RunRow | undefined> {
  const { store, events, clock, nodeId } = parts;
  const run: RunRow = {
    ...occurrence,
    id: newId(),
    schedule_id: row.id,
    created_ms: clock.now(),
    node_id: nodeId,
    job_id: null,
    note: null,
    outcome: null,
  };
  if (!await store.claim(trx, run)) return undefined;
  const planned = { planned_at: new Date(run.planned_ms).toISOString(), reason: run.reason };
  const started = await start(trx, { row, run, parts });
  await store.endClaim(trx, { id: run.id, set: started });
  if ("note" in started) {
    const data = { ...planned, note: started.note };
    await events.postIn(trx, row, { event: scheduleSkipped, data });
  } else {
    const data = { ...planned, job_id: started.job_id };
    await events.postIn(trx, row, { event: scheduleTriggered, data });
  }
  return { ...run, ...started };
}

async function start(
  trx: ScheduleTrx,
  { row, run, parts: { store, jobs } }: { row: ScheduleRow; run: RunRow; parts: TriggerParts },
): Promise<{ job_id: string } | { note: string }> {
  const before = row.overlap === 0 ? await store.unfinishedJob(trx, row.id) : undefined;
  if (before !== undefined) {
    const note = `the job "${before}" of an earlier run is unfinished`;
    if (run.reason !== "manual") return { note };
    throw new Problem(409, "schedule_running", {
      detail: `Cannot run "${row.name}": ${note}; wait for it, or cancel it`,
      extras: { job_id: before },
    });
  }
  const job = jobs.find(row.job);
  if (!job) throw scheduleBlocked(row);
  try {
    const correlationId = currentContext()?.correlationId;
    const options = { project: row.project ?? undefined, priority: row.priority, correlationId, trx };
    return { job_id: (await jobs.enqueue(job, JSON.parse(row.input), options)).id };
  } catch (error) {
    // The job's schema may be newer than the schedule: nothing has reached the database then.
    const isRefused = error instanceof Problem && error.code === "invalid_job_input";
    if (!isRefused || run.reason === "manual") throw error;
    return { note: error.message };
  }
}

/** Problem 409 for a schedule whose job no plugin of this agent does. */
export function scheduleBlocked(row: ScheduleRow): Problem {
  return new Problem(409, "schedule_blocked", {
    detail: `Cannot run "${row.name}": no plugin of this agent does jobs named "${row.job}"`,
  });
}

/** What of the moments that have passed is to run now, and what is given up. */
function choose(
  passed: readonly number[],
  { row, nowMs }: { row: ScheduleRow; nowMs: number },
): { chosen: Occurrence[]; given: readonly number[] } {
  const late = passed.filter((ms) => ms < nowMs - graceMs);
  const due: Occurrence[] = passed.slice(late.length).map((ms) => ({ planned_ms: ms, reason: "due" }));
  const missed: Occurrence[] = late.map((ms) => ({ planned_ms: ms, reason: "missed" }));
  if (row.missed === "all") {
    return { chosen: [...missed.slice(-maxMissed), ...due], given: late.slice(0, -maxMissed) };
  }
  if (row.missed === "skip" || missed.length === 0) return { chosen: due, given: late };
  // One run stands for all of them; where one is due right now, that is it.
  return due.length > 0
    ? { chosen: due, given: late }
    : { chosen: missed.slice(-1), given: late.slice(0, -1) };
}

async function tellMissed(
  trx: ScheduleTrx,
  { row, given, parts }: { row: ScheduleRow; given: readonly number[]; parts: TriggerParts },
): Promise<void> {
  const data = {
    count: given.length,
    first_at: new Date(given[0]!).toISOString(),
    last_at: new Date(given.at(-1)!).toISOString(),
  };
  await withContext(
    { correlationId: newId() },
    () => parts.events.postIn(trx, row, { event: scheduleMissed, data }),
  );
}
