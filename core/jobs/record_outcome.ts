import type { Transaction } from "kysely";
import type { Event } from "../events.ts";
import type { RunParts } from "./active_run.ts";
import { jobCancelled, jobCompleted, jobFailed, jobReturned, jobWaiting } from "./job_events.ts";
import { newsOf } from "./news_of.ts";
import type { Change } from "./job_store.ts";
import type { JobRow, JobSummary, JobTables } from "./job_tables.ts";
import type { Outcome } from "./outcome.ts";
import type { Progress } from "./progress_report.ts";

interface Recording {
  readonly row: JobRow;
  readonly token: string;
  readonly outcome: Outcome;
  readonly progress: Progress;
  readonly parts: RunParts;
}

type Recorded = Exclude<Outcome, { readonly move: "none" }>;

const released: Change["set"] = { lease_token: null, lease_until_ms: null };

/**
 * Writes down how a run ended, with its event, in one transaction. Resolves to what was recorded, which is a cancellation
 * where somebody asked for one meanwhile; to undefined where the lease is lost.
 */
export async function recordOutcome(recording: Recording): Promise<Outcome | undefined> {
  const { row, token, outcome, parts } = recording;
  if (outcome.move === "none") return undefined;
  if (await record(recording, outcome)) return outcome;
  const now = await parts.reader.find(row.id);
  const isOurs = now?.state === "running" && now.lease_token === token;
  const cancel: Recorded = { move: "cancel" };
  return isOurs && now.cancel_requested && await record(recording, cancel) ? cancel : undefined;
}

async function record({ row, token, progress, parts }: Recording, outcome: Recorded): Promise<boolean> {
  const { writes, store, board, clock } = parts;
  return await writes.run(async (trx: Transaction<JobTables>) => {
    const nowMs = clock.now();
    const { set, unlessCancelled } = settingsOf(outcome, { row, progress, nowMs });
    const changed = await store.change(trx, {
      move: outcome.move,
      id: row.id,
      token,
      unlessCancelled,
      nowMs,
      set: { ...released, ...set },
    });
    if (!changed) return false;
    await board.postIn(trx, changed, newsAbout(outcome, { row, changed, nowMs }));
    return true;
  });
}

function settingsOf(
  outcome: Recorded,
  { row, progress, nowMs }: { row: JobRow; progress: Progress; nowMs: number },
): { set: Change["set"]; unlessCancelled: boolean } {
  switch (outcome.move) {
    case "complete": {
      const done = { result: outcome.result, error: null, progress: 100, message: progress.message };
      return { set: { ...done, ended_ms: nowMs }, unlessCancelled: false };
    }
    case "fail":
      return { set: { ...progress, error: outcome.error, ended_ms: nowMs }, unlessCancelled: false };
    case "cancel":
      return { set: { ...progress, ended_ms: nowMs }, unlessCancelled: false };
    case "postpone": {
      const again = { run_at_ms: nowMs + outcome.delayMs, error: outcome.error };
      return { set: { ...progress, ...again }, unlessCancelled: true };
    }
    case "handBack": // a stop is no fault of the job: the attempt does not count
      return { set: { attempt: row.attempt - 1 }, unlessCancelled: true };
  }
}

function newsAbout(
  outcome: Recorded,
  { row, changed, nowMs }: { row: JobRow; changed: JobSummary; nowMs: number },
): { event: Event<unknown>; data: unknown } {
  const about = { ...newsOf(changed), attempt: row.attempt };
  const runAt = new Date(changed.run_at_ms).toISOString();
  switch (outcome.move) {
    case "complete":
      return { event: jobCompleted, data: { ...about, duration_ms: nowMs - (row.started_ms ?? nowMs) } };
    case "fail":
      return { event: jobFailed, data: { ...about, error: JSON.parse(outcome.error) } };
    case "postpone":
      return { event: jobWaiting, data: { ...about, run_at: runAt, error: JSON.parse(outcome.error) } };
    case "cancel":
      return { event: jobCancelled, data: about };
    case "handBack":
      return { event: jobReturned, data: { ...about, node_id: row.node_id ?? "", reason: "stopped" } };
  }
}
