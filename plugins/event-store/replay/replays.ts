import { type Clock, newId, timestamp } from "../../../core/clock.ts";
import type { Bus } from "../../../core/bus/bus.ts";
import { Problem } from "../../../core/errors.ts";
import type { Logger } from "../../../core/log.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { Replay, ReplayOrder, ReplayStore } from "./replay_store.ts";
import { ReplayRun } from "./replay_run.ts";

export interface ReplaysOptions {
  readonly store: EventStore;
  readonly subjects: SubjectCatalog;
  readonly replays: ReplayStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeId: string;
  /** Replays that this agent runs at the same time. */
  readonly maxRunning: number;
  /** Ended replays that are remembered. */
  readonly keep: number;
  readonly onReplayed: (count: number) => void;
  readonly stopping: AbortSignal;
}

/** What a replay is asked for with. */
export type ReplayRequest =
  & Pick<ReplayOrder, "filter" | "speed" | "maxGapMs" | "startedBy">
  & { readonly afterSeq: number | undefined; readonly untilSeq: number | undefined };

/** All replays: those that this agent runs, and what is written down about the others. */
export class Replays {
  readonly #options: ReplaysOptions;
  readonly #running = new Map<string, ReplayRun>();
  /** Room taken by replays that are just being written down. */
  #starting = 0;

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /** Replays that this agent runs now. */
  get count(): number {
    return this.#running.size;
  }

  /** Goes on with what was under way when this agent stopped; resolves when aborted and all runs are at rest. */
  async run(signal: AbortSignal): Promise<void> {
    const { replays, nodeId } = this.#options;
    for (const replay of await replays.runningOn(nodeId)) if (!this.#running.has(replay.id)) this.#go(replay);
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    await Promise.all([...this.#running.values()].map((run) => run.ended));
  }

  /** Starts a replay of what the log holds now. Rejects with Problem 409 where too many run, 503 when stopping. */
  async start({ filter, speed, maxGapMs, startedBy, afterSeq, untilSeq }: ReplayRequest): Promise<Replay> {
    const { store, replays, clock, log, nodeId, maxRunning, keep } = this.#options;
    if (this.count + this.#starting >= maxRunning) throw tooMany(maxRunning);
    this.#starting++;
    try {
      const head = await store.headSeq();
      const order: ReplayOrder = {
        id: newId(),
        nodeId,
        filter,
        speed,
        maxGapMs,
        afterSeq: afterSeq ?? 0,
        lastSeq: Math.min(untilSeq ?? head, head),
        startedBy,
        startedAt: timestamp(clock),
      };
      await replays.prune(keep);
      await replays.add(order);
      log.info("a replay starts", { replay: order.id, speed, filter, after_seq: order.afterSeq });
      const progress = { position: order.afterSeq, replayed: 0, skipped: 0, error: null };
      const replay: Replay = { ...order, ...progress, state: "running", endedAt: null };
      this.#go(replay);
      return replay;
    } finally {
      this.#starting--;
    }
  }

  #go(replay: Replay): void {
    if (this.#options.stopping.aborted) return; // written down: the next start goes on with it
    const run = new ReplayRun({ ...this.#options, replay });
    this.#running.set(replay.id, run);
    void run.ended.then(() => this.#running.delete(replay.id));
  }

  /** The run of a replay that this agent is busy with. */
  running(id: string): ReplayRun | undefined {
    const run = this.#running.get(id);
    return run?.isOver ? undefined : run;
  }

  async find(id: string): Promise<Replay | undefined> {
    const replay = await this.#options.replays.find(id);
    return replay && this.#upToDate(replay);
  }

  /** The newest first, of all agents on this storage. */
  async list(page: { before: string | undefined; limit: number }): Promise<Replay[]> {
    return (await this.#options.replays.list(page)).map((replay) => this.#upToDate(replay));
  }

  /** Ends a replay, wherever it runs; nothing is published any more when it is this agent's, within a second else. */
  async cancel(id: string): Promise<void> {
    const { replays, clock } = this.#options;
    await replays.end(id, { state: "cancelled", at: timestamp(clock) });
    const run = this.#running.get(id);
    run?.stop();
    await run?.ended;
  }

  #upToDate(replay: Replay): Replay {
    const run = replay.state === "running" ? this.running(replay.id) : undefined;
    return run ? { ...replay, ...run.progress } : replay;
  }
}

function tooMany(maxRunning: number): Problem {
  return new Problem(409, "too_many_replays", {
    detail: `${maxRunning} replays are running, which is all this agent allows (plugins.event-store.replay.` +
      "max_running); wait for one to end, or cancel one",
  });
}
