import type { Subscription } from "../bus/bus.ts";
import { settleWithin } from "../bus/settle_within.ts";
import type { Logger } from "../log.ts";
import { Wakeup } from "../wakeup.ts";
import { ActiveRun, type RunParts } from "./active_run.ts";
import { type Claimed, claimJobs } from "./claim_jobs.ts";
import type { JobEvents } from "./job_events.ts";
import type { JobSummary } from "./job_tables.ts";
import type { Registration } from "./registrations.ts";

/** Longest time without a look at the queue: for what nobody told us about. */
const longestWaitMs = 5000;
/** Wait after a failure, and where others hold or limit what is due, in milliseconds. */
const shortWaitMs = 1000;
/** How long runs get to end when their plugin stops, and how long storing that may take, in milliseconds. */
const stopGraceMs = 1500;
const storeGraceMs = 700;

interface JobRunnerOptions {
  readonly parts: RunParts;
  readonly events: JobEvents;
  readonly log: Logger;
  readonly nodeId: string;
  readonly leaseMs: number;
  readonly maxRunning: number;
  /** Every run of this agent until its work is over; the runner alone writes to it. */
  readonly runs: Map<string, ActiveRun>;
}

/** Takes up what is due and runs it, within the limits of this agent, of each job, and of each project. */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #open = new Map<string, Registration>();
  readonly #wakeup = new Wakeup();
  #isPoked = false;
  #isFinal = false;
  #problem: unknown;
  #claiming: Promise<unknown> | undefined;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  /** What went wrong in the last look at the queue, if anything. */
  get problem(): unknown {
    return this.#problem;
  }

  /** Runs jobs of this kind from now on; `stop` ends that and hands back what cannot be finished soon. */
  open(registration: Registration): Subscription {
    this.#open.set(registration.job.name, registration);
    this.poke();
    return { stop: () => this.#close(registration) };
  }

  /** The process is about to end: work that ignores its signal is handed back too, since it ends with the process. */
  ending(): void {
    this.#isFinal = true;
  }

  /** Has a look at the queue soon. */
  poke(): void {
    this.#isPoked = true;
    this.#wakeup.wake();
  }

  /** To be told of every change of a job. */
  noticed(row: JobSummary): void {
    if (row.state === "pending" || row.state === "waiting") {
      if (this.#open.has(row.name)) this.poke();
    } else if (row.state === "running" && row.cancel_requested) {
      this.#options.runs.get(row.id)?.abort("cancelled");
    } else if (row.state !== "running") {
      this.poke(); // there may be room for a job that was held back by a limit
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isPoked = false;
      let waitMs: number;
      try {
        waitMs = await this.#round();
        this.#problem = undefined;
      } catch (error) {
        if (this.#problem === undefined) this.#options.log.error("no jobs could be taken up", { error });
        this.#problem = error;
        this.#isPoked = false; // else a database that is away would be asked without a pause
        waitMs = shortWaitMs;
      }
      if (waitMs > 0 && !this.#isPoked) await this.#wakeup.wait(waitMs, signal);
    }
  }

  /** Takes up what it can; returns how long there is nothing to do, in milliseconds. */
  async #round(): Promise<number> {
    const { events, parts: { reader, clock } } = this.#options;
    const wanted = this.#wanted();
    if (wanted.length === 0) return longestWaitMs;
    if (!events.possible) return shortWaitMs;
    const due: typeof wanted = [];
    let nextMs = Infinity;
    for (const each of wanted) {
      const firstMs = await reader.firstDue(each.registration.job.name);
      if (firstMs === undefined) continue;
      if (firstMs <= clock.now()) due.push(each);
      else nextMs = Math.min(nextMs, firstMs);
    }
    const untilNextMs = Math.min(Math.max(nextMs - clock.now(), 1), longestWaitMs);
    if (due.length === 0) return untilNextMs;
    this.#claiming = this.#claim(due);
    return await this.#claiming ? 0 : Math.min(untilNextMs, shortWaitMs);
  }

  async #claim(wanted: { registration: Registration; room: number }[]): Promise<boolean> {
    const { parts: { store, board, clock, writes }, nodeId, leaseMs, runs } = this.#options;
    const { claimed, spent } = await writes.run((trx) =>
      claimJobs(trx, {
        store,
        board,
        clock,
        nodeId,
        leaseMs,
        wanted,
        limit: this.#room,
        isHere: (id) => runs.has(id),
      })
    );
    for (const each of claimed) this.#begin(each);
    return claimed.length + spent > 0;
  }

  #begin(claimed: Claimed): void {
    const { parts, runs } = this.#options;
    const run = new ActiveRun({ ...claimed, parts });
    runs.set(run.id, run);
    // Somebody may have asked for its end, or its plugin stopped, while it was being taken up.
    if (this.#open.get(run.name) !== claimed.registration) run.abort("stopping");
    void run.settled.then(() => {
      if (runs.get(run.id) === run) runs.delete(run.id);
      this.poke();
    });
  }

  get #room(): number {
    return this.#options.maxRunning - this.#options.runs.size;
  }

  #wanted(): { registration: Registration; room: number }[] {
    const room = this.#room;
    if (room <= 0) return [];
    const running = new Map<string, number>();
    for (const { name } of this.#options.runs.values()) running.set(name, (running.get(name) ?? 0) + 1);
    return [...this.#open.values()]
      .map((registration) => ({
        registration,
        room: Math.min(room, registration.concurrency - (running.get(registration.job.name) ?? 0)),
      }))
      .filter((each) => each.room > 0)
      .sort((one, other) => one.registration.job.name < other.registration.job.name ? -1 : 1);
  }

  async #close(registration: Registration): Promise<void> {
    const { name } = registration.job;
    if (this.#open.get(name) === registration) this.#open.delete(name);
    await settleWithin(Promise.allSettled([this.#claiming]), storeGraceMs);
    const runs = [...this.#options.runs.values()].filter((run) => run.name === name);
    for (const run of runs) run.abort("stopping");
    const recorded = Promise.all(runs.map((run) => run.recorded));
    await settleWithin(recorded, stopGraceMs);
    if (!this.#isFinal) return; // what goes on keeps its lease, and so runs nowhere else
    for (const run of runs) run.giveUp();
    await settleWithin(recorded, storeGraceMs);
  }
}
