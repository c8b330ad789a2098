import type { Transaction } from "kysely";
import { type Clock, newId } from "../clock.ts";
import type { JobBoard } from "./job_board.ts";
import { jobFailed, jobStarted } from "./job_events.ts";
import { newsOf } from "./news_of.ts";
import type { JobStore } from "./job_store.ts";
import type { JobRow, JobSummary, JobTables } from "./job_tables.ts";
import { errorText } from "./job_text.ts";
import type { Registration } from "./registrations.ts";

/** A job whose attempt has begun. */
export interface Claimed {
  readonly row: JobRow;
  readonly token: string;
  readonly registration: Registration;
  readonly startedEventId: string | undefined;
}

export interface ClaimOptions {
  readonly store: JobStore;
  readonly board: JobBoard;
  readonly clock: Clock;
  readonly nodeId: string;
  readonly leaseMs: number;
  /** What may be taken up, and how many of it this agent has room for. */
  readonly wanted: readonly { readonly registration: Registration; readonly room: number }[];
  /** Jobs altogether. */
  readonly limit: number;
  /** Jobs whose work still goes on in this process. */
  readonly isHere: (id: string) => boolean;
}

/** Takes up the most urgent jobs within every limit, in the caller's transaction; `spent` of them had no attempt left. */
export async function claimJobs(
  trx: Transaction<JobTables>,
  options: ClaimOptions,
): Promise<{ readonly claimed: readonly Claimed[]; readonly spent: number }> {
  const { store, board, clock, nodeId, leaseMs, limit } = options;
  const chosen: { row: JobSummary; registration: Registration }[] = [];
  // In the order of their names, so that two agents never wait for each other.
  for (const { registration, room } of options.wanted) {
    const rows = await candidates(trx, { registration, room: Math.min(room, limit), options });
    for (const row of rows) chosen.push({ row, registration });
  }
  chosen.sort((one, other) => byUrgency(one.row, other.row));
  chosen.splice(limit);
  const isSpent = ({ row, registration }: typeof chosen[number]) =>
    row.attempt >= registration.retry.maxAttempts;
  const spent = chosen.filter(isSpent);
  for (const { row } of spent) await giveUp(trx, row, options);
  const starting = new Map(chosen.filter((each) => !isSpent(each)).map((each) => [each.row.id, each]));
  if (starting.size === 0) return { claimed: [], spent: spent.length };
  const token = newId();
  const nowMs = clock.now();
  const rows = await store.start(trx, { ids: [...starting.keys()], token, leaseMs, nodeId, nowMs });
  const claimed: Claimed[] = [];
  for (const row of rows.sort(byUrgency)) {
    const { registration } = starting.get(row.id)!;
    const data = { ...newsOf(row), node_id: nodeId };
    const startedEventId = await board.postIn(trx, row, { event: jobStarted, data });
    claimed.push({ row, token, registration, startedEventId });
  }
  return { claimed, spent: spent.length };
}

async function candidates(
  trx: Transaction<JobTables>,
  { registration, room, options }: { registration: Registration; room: number; options: ClaimOptions },
): Promise<JobSummary[]> {
  const { store, clock, isHere } = options;
  const { job: { name }, concurrencyTotal, concurrencyPerProject } = registration;
  const isLimited = concurrencyTotal !== Infinity || concurrencyPerProject !== Infinity;
  const running = new Map(isLimited ? await store.countRunning(trx, name) : []);
  const total = [...running.values()].reduce((sum, count) => sum + count, 0);
  const limit = Math.min(room, concurrencyTotal - total);
  if (limit <= 0) return [];
  const notFor = [...running].flatMap(([project, count]) =>
    project !== null && count >= concurrencyPerProject ? [project] : []
  );
  const rows = await store.candidates(trx, { name, nowMs: clock.now(), limit, notFor });
  return rows.filter(({ id, project }) => {
    const count = running.get(project) ?? 0;
    if (isHere(id) || (project !== null && count >= concurrencyPerProject)) return false;
    running.set(project, count + 1);
    return true;
  });
}

async function giveUp(
  trx: Transaction<JobTables>,
  row: JobSummary,
  { store, board, clock }: ClaimOptions,
): Promise<void> {
  const nowMs = clock.now();
  const error = row.error ?? errorText(new Error("It has no attempt left"), "no_attempt_left");
  const set = { error, ended_ms: nowMs };
  const failed = await store.change(trx, { move: "giveUp", id: row.id, nowMs, set });
  if (!failed) return;
  await board.postIn(trx, failed, {
    event: jobFailed,
    data: { ...newsOf(failed), error: JSON.parse(error) },
  });
}

function byUrgency(one: JobSummary, other: JobSummary): number {
  return other.priority - one.priority || one.run_at_ms - other.run_at_ms || (one.id < other.id ? -1 : 1);
}
