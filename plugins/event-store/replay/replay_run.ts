import { setImmediate } from "node:timers/promises";
import { type Bus, BusError } from "../../../core/bus/bus.ts";
import { type Clock, timestamp } from "../../../core/clock.ts";
import { messageOf } from "../../../core/errors.ts";
import type { Logger } from "../../../core/log.ts";
import { StorageDamaged } from "../../../core/storage/storage_damaged.ts";
import { Wakeup } from "../../../core/wakeup.ts";
import { DamagedEvent } from "../log/damage.ts";
import { scanEvents, type ScanResult } from "../search/scan_events.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";
import { Turns } from "../../../core/turns.ts";
import { Pacer } from "./pacer.ts";
import type { Replay, ReplayProgress, ReplayState, ReplayStore } from "./replay_store.ts";
import { confirm, republish } from "./republish.ts";

/** Events and characters of payload published before the loop gets its turn: far less than a subscription holds. */
const batchEvents = 200;
const batchCharacters = 1024 * 1024;
/** Time after which a search for rare events tells how far it is, in milliseconds. */
const searchMs = 200;
/** How often progress is written down, and how soon a cancellation by another agent is seen, in milliseconds. */
const saveEveryMs = 250;
/** Wait before the next attempt when the bus or the storage is away, in milliseconds; a connect cuts it short. */
const retryMs = 500;

export interface ReplayRunOptions {
  readonly replay: Replay;
  readonly store: EventStore;
  readonly subjects: SubjectCatalog;
  readonly replays: ReplayStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called with the number of events that have just been published. */
  readonly onReplayed: (count: number) => void;
  /** Aborted when the agent stops: the replay then goes on after the next start. */
  readonly stopping: AbortSignal;
}

/** One replay under way: publishes, keeps the pace, and writes down how far it got. */
export class ReplayRun {
  /** Resolves when it has ended or was stopped, and this is written down; never rejects. */
  readonly ended: Promise<void>;
  readonly #options: ReplayRunOptions;
  readonly #cancelled = new AbortController();
  readonly #watchers = new Set<Wakeup>();
  #progress: ReplayProgress;
  #saved: ReplayProgress;
  #savedAt: number;
  #isOver = false;
  /** How it ended, once that is known but perhaps not yet written down. */
  #outcome: { readonly state: ReplayState; readonly error: string | null } | undefined;

  constructor(options: ReplayRunOptions) {
    const { replay, clock, stopping } = options;
    this.#options = options;
    this.#progress = this.#saved = replay;
    this.#savedAt = clock.monotonic();
    this.ended = this.#run(AbortSignal.any([stopping, this.#cancelled.signal]));
  }

  get progress(): ReplayProgress {
    const { position, replayed, skipped, error } = this.#progress;
    return { position, replayed, skipped, error };
  }

  /** Whether it publishes nothing more, and all of that is written down. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Publishes nothing more. */
  stop(): void {
    this.#cancelled.abort(new Error("The replay was cancelled"));
    this.#advance({ error: null });
  }

  /** Resolves at the next progress, at the end, or now and then. */
  async changed(signal: AbortSignal): Promise<void> {
    const watcher = new Wakeup();
    this.#watchers.add(watcher);
    await watcher.wait(retryMs, signal);
    this.#watchers.delete(watcher);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#attempt(signal);
        if (this.#outcome) break;
      } catch (error) {
        if (signal.aborted) break;
        await this.#waitAfter(error, signal);
      }
    }
    if (this.#progress !== this.#saved) {
      await this.#save().catch((error) =>
        this.#options.log.warn("how far a replay got is not written down; some of it will come again", {
          replay: this.#options.replay.id,
          error,
        })
      );
    }
    this.#isOver = true;
    for (const watcher of this.#watchers) watcher.wake();
  }

  /** Goes on to the end, and writes that down. Rejects when bus or storage do. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const { replay, replays, clock, log } = this.#options;
    try {
      if (this.#progress !== this.#saved) await this.#save();
      await this.#goOn(signal);
    } catch (error) {
      if (!(error instanceof DamagedEvent || error instanceof StorageDamaged)) throw error;
      this.#outcome = { state: "failed", error: error.message };
    }
    if (signal.aborted) return;
    const { state, error } = this.#outcome ?? { state: "completed", error: null };
    this.#advance({ error });
    await replays.end(replay.id, { state, at: timestamp(clock), progress: this.progress });
    this.#outcome = { state, error };
    this.#saved = this.#progress;
    log.info("a replay ended", { replay: replay.id, state, ...this.progress });
  }

  async #goOn(signal: AbortSignal): Promise<void> {
    const { replay, bus } = this.#options;
    await confirm({ bus, signal });
    if (this.#progress.error !== null) this.#advance({ error: null });
    const pacer = new Pacer({ ...this.#options, ...replay });
    const turns = new Turns();
    while (this.#progress.position < replay.lastSeq && !signal.aborted) {
      const { rows, scannedTo } = await this.#next();
      for (let done = 0; done < rows.length;) {
        const due = await this.#due(rows.slice(done), { pacer, signal });
        if (signal.aborted) return;
        await this.#send(due, signal);
        done += due.length;
      }
      this.#advance({ position: scannedTo });
      await this.#saveNowAndThen();
      await setImmediate(); // subscribers have their turn after each batch, also where nothing else waits
      await turns.next(); // and requests have theirs
    }
  }

  /** The next events to republish. Rejects with DamagedEvent where the very next one is damaged. */
  #next(): Promise<ScanResult> {
    const { replay, store, subjects } = this.#options;
    return scanEvents(store, {
      filter: replay.filter,
      order: "asc",
      limit: batchEvents,
      from: this.#progress.position + 1,
      to: replay.lastSeq,
      budgetMs: searchMs,
      subjects,
    });
  }

  /** Waits for the first of them, and takes with it those that are due as well. */
  async #due(
    rows: readonly EventRow[],
    { pacer, signal }: { pacer: Pacer; signal: AbortSignal },
  ): Promise<readonly EventRow[]> {
    for (;;) {
      const delayMs = pacer.delayMs(Date.parse(rows[0]!.time));
      if (delayMs <= 0 || signal.aborted) break;
      await new Wakeup().wait(Math.ceil(Math.min(delayMs, saveEveryMs)), signal);
      await this.#saveNowAndThen();
    }
    let end = 0;
    for (let characters = 0; end < rows.length && characters < batchCharacters; end++) {
      const timeMs = Date.parse(rows[end]!.time);
      if (pacer.delayMs(timeMs) > 0) break;
      pacer.sent(timeMs);
      characters += rows[end]!.payload.length;
    }
    return rows.slice(0, end);
  }

  async #send(rows: readonly EventRow[], signal: AbortSignal): Promise<void> {
    const { replay, bus, log, onReplayed } = this.#options;
    const skipped = await republish(rows, { bus, replayId: replay.id, signal });
    if (skipped.length > 0 && this.#progress.skipped === 0) {
      const { row, error } = skipped[0]!;
      log.warn("a replay skips events that the bus cannot take", { replay: replay.id, seq: row.seq, error });
    }
    const sent = rows.length - skipped.length;
    onReplayed(sent);
    this.#advance({
      position: rows.at(-1)!.seq,
      replayed: this.#progress.replayed + sent,
      skipped: this.#progress.skipped + skipped.length,
    });
  }

  #advance(changes: Partial<ReplayProgress>): void {
    this.#progress = { ...this.progress, ...changes };
    for (const watcher of this.#watchers) watcher.wake();
  }

  async #saveNowAndThen(): Promise<void> {
    if (this.#options.clock.monotonic() - this.#savedAt >= saveEveryMs) await this.#save();
  }

  /** Writes progress down where there is any, and looks whether another agent has ended this replay. */
  async #save(): Promise<void> {
    const { replay, replays, clock } = this.#options;
    const progress = this.#progress;
    const state = progress === this.#saved
      ? await replays.stateOf(replay.id)
      : await replays.save(replay.id, progress);
    this.#saved = progress;
    this.#savedAt = clock.monotonic();
    if (state !== "running") this.stop();
  }

  async #waitAfter(error: unknown, signal: AbortSignal): Promise<void> {
    const { replay, bus, log } = this.#options;
    if (this.#progress.error === null) log.warn("a replay waits", { replay: replay.id, error });
    // What the storage says is for the log only.
    this.#advance({ error: error instanceof BusError ? messageOf(error) : "the storage does not answer" });
    const connected = new Wakeup();
    const leave = bus.onStatus((status) => status.connected && connected.wake());
    await connected.wait(retryMs * (0.5 + Math.random() / 2), signal);
    leave();
  }
}
