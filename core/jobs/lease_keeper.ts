import type { Transaction } from "kysely";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { pause } from "../supervise.ts";
import type { ActiveRun } from "./active_run.ts";
import type { JobBoard } from "./job_board.ts";
import { jobCancelled, type JobEvents, jobReturned } from "./job_events.ts";
import { newsOf } from "./news_of.ts";
import type { JobReader } from "./job_reader.ts";
import type { JobStore } from "./job_store.ts";
import type { JobSummary, JobTables } from "./job_tables.ts";
import { errorText } from "./job_text.ts";
import type { SharedTransaction } from "./shared_transaction.ts";

/** Jobs of lost agents that are taken up in one transaction. */
const sweepSize = 100;

interface LeaseKeeperOptions {
  readonly kind: "sqlite" | "postgres";
  readonly store: JobStore;
  readonly reader: JobReader;
  readonly writes: SharedTransaction<JobTables>;
  readonly board: JobBoard;
  readonly events: JobEvents;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leaseMs: number;
  /** Runs of this agent, also those whose work goes on although it should not. */
  readonly runs: ReadonlyMap<string, ActiveRun>;
}

/** Keeps the leases of this agent's runs, and takes those of lost agents away. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #problem: unknown;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** What went wrong in the last beat, if anything. */
  get problem(): unknown {
    return this.#problem;
  }

  /** A SQLite file belongs to one agent: whatever runs there when that starts was left by a process that is gone. */
  async takeUpLeftovers(): Promise<void> {
    if (this.#options.kind === "sqlite") await this.#sweep(Number.MAX_SAFE_INTEGER);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { leaseMs, log } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#renew();
        await this.#sweep(this.#options.clock.now());
        this.#problem = undefined;
      } catch (error) {
        if (this.#problem === undefined) log.error("the leases of jobs could not be renewed", { error });
        this.#problem = error;
      }
      await pause(this.#problem === undefined ? leaseMs / 3 : Math.min(leaseMs / 10, 1000), signal);
    }
  }

  /** Looks whether somebody elsewhere asked for the end of a run, or has taken it. */
  async check(): Promise<void> {
    const held = this.#held();
    if (held.length === 0) return;
    const rows = await this.#options.reader.held(held.map(({ id }) => id));
    const known = new Map(rows.map((row) => [row.id, row]));
    for (const run of held) {
      const row = known.get(run.id);
      const isOurs = row?.state === "running" && row.lease_token === run.token;
      this.#judge(run, isOurs ? row : undefined);
    }
  }

  async #renew(): Promise<void> {
    const { store, writes, leaseMs, clock } = this.#options;
    const held = this.#held();
    if (held.length === 0) return;
    const renewed = await writes.run((trx) =>
      store.renew(trx, {
        ids: held.map(({ id }) => id),
        tokens: [...new Set(held.map(({ token }) => token))],
        leaseMs,
        nowMs: clock.now(),
      })
    );
    const known = new Map(renewed.map((row) => [row.id, row]));
    for (const run of held) {
      if (known.has(run.id)) run.renewed();
      this.#judge(run, known.get(run.id));
    }
  }

  #judge(run: ActiveRun, row: { readonly cancel_requested: number } | undefined): void {
    if (run.isRecording) return; // what it writes is refused where it comes too late
    if (row === undefined) run.abort("lease_lost");
    else if (row.cancel_requested) run.abort("cancelled");
  }

  #held(): ActiveRun[] {
    return [...this.#options.runs.values()].filter((run) => !run.isRecording);
  }

  async #sweep(nowMs: number): Promise<void> {
    const { store, writes, events, runs, log } = this.#options;
    if (!events.possible) return;
    let taken: JobSummary[];
    do {
      taken = await writes.run(async (trx) => {
        const expired = await store.expired(trx, { nowMs, limit: sweepSize });
        const lost = expired.filter(({ id }) => !runs.has(id));
        for (const row of lost) await this.#takeBack(trx, row);
        return lost;
      });
      for (const { id, name, node_id } of taken) {
        log.warn("the agent that ran a job was lost", { job_id: id, job: name, node_id });
      }
    } while (taken.length === sweepSize);
  }

  async #takeBack(trx: Transaction<JobTables>, row: JobSummary): Promise<void> {
    const { store, board, clock } = this.#options;
    const nowMs = clock.now();
    const change = { id: row.id, token: row.lease_token ?? undefined, nowMs };
    const released = { lease_token: null, lease_until_ms: null };
    if (row.cancel_requested) {
      const set = { ...released, ended_ms: nowMs };
      const cancelled = await store.change(trx, { ...change, move: "cancel", set });
      if (cancelled) await board.postIn(trx, cancelled, { event: jobCancelled, data: newsOf(cancelled) });
      return;
    }
    const nodeId = row.node_id ?? "";
    const error = errorText(new Error(`The agent "${nodeId}" was lost while it ran the job`), "agent_lost");
    const returned = await store.change(trx, { ...change, move: "handBack", set: { ...released, error } });
    if (!returned) return;
    const data = { ...newsOf(returned), node_id: nodeId, reason: "lost" as const };
    await board.postIn(trx, returned, { event: jobReturned, data });
  }
}
