import { hash } from "node:crypto";
import { setImmediate } from "node:timers";
import type { Bus, Delivery, StreamPosition } from "../../../core/bus/bus.ts";
import { type Clock, timestamp } from "../../../core/clock.ts";
import { messageOf } from "../../../core/errors.ts";
import type { Logger } from "../../../core/log.ts";
import { pause } from "../../../core/supervise.ts";
import { Wakeup } from "../../../core/wakeup.ts";
import {
  type CollectStore,
  type Committed,
  PositionMoved,
  type RefusedRow,
  type Taken,
} from "./collect_store.ts";
import { readMessage } from "./read_message.ts";

/** Messages and bytes that are taken in together at the most, so that no commit holds the loop for long. */
const maxBatch = 256;
const maxBatchBytes = 1024 * 1024;
/** Waits between attempts while the storage fails, in milliseconds. */
const firstPauseMs = 100;
const longestPauseMs = 10_000;
const idleMs = 60_000;
/** How often the position is written down when nothing but events of this node came, in milliseconds. */
const saveEveryMs = 1000;
const maxErrorLength = 500;

export interface CollectorOptions {
  readonly pattern: string;
  readonly store: CollectStore;
  readonly bus: Bus;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxPayloadBytes: number;
  /** Called after each commit with what it brought; with nothing when it failed. */
  readonly onCommitted: (committed: Committed) => void;
}

interface Waiting {
  readonly delivery: Delivery;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Takes in the events of other hosts under one pattern, in the order of the stream. The position is stored together
 * with the events; the stream hears that a message is done after the commit.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #news = new Wakeup();
  #waiting: Waiting[] = [];
  /** What is taken in, as far as the database has it noted, and as far as it is so without a note. */
  #noted: StreamPosition | undefined;
  #reached: StreamPosition | undefined;
  #notedAt = -Infinity;
  #behind: number | undefined;
  #problem: string | undefined;
  #committing = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  get pattern(): string {
    return this.#options.pattern;
  }

  /** Sequence in the stream up to which everything is taken in; undefined before the first message. */
  get streamSeq(): number | undefined {
    return this.#reached?.seq;
  }

  /** Messages that wait in the stream, by its last word; undefined before that. */
  get behind(): number | undefined {
    return this.#behind === undefined ? undefined : this.#behind + this.#waiting.length;
  }

  /** Why nothing is taken in, when nothing is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether a commit of ours is under way, of which `onCommitted` will tell. */
  get isCommitting(): boolean {
    return this.#committing;
  }

  /** Runs until aborted; rejects when the database was put back under it, and has to be begun again then. */
  async run(signal: AbortSignal): Promise<void> {
    const { bus, store, pattern, nodeId } = this.#options;
    this.#noted = this.#reached = await store.position(pattern);
    const consumer = bus.consume({
      durable: `${nodeId}-collect-${hash("sha256", pattern, "hex").slice(0, 12)}`,
      pattern,
      concurrency: maxBatch,
      start: "first",
      resumeAt: () => this.#reached ?? "first",
      // What can never be taken in is refused here, and what fails with the storage waits for it, in its order.
      maxDeliveries: Infinity,
      ackWaitMs: Infinity,
    }, (delivery) => this.#take(delivery));
    try {
      while (!signal.aborted) await this.#takeIn(signal);
      await this.#note();
    } finally {
      const stopped = consumer.stop();
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("Cannot collect: stopping"));
      await stopped;
    }
  }

  #take(delivery: Delivery): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ delivery, resolve, reject });
    this.#behind = delivery.behind ?? 0;
    this.#news.wake();
    return promise;
  }

  async #takeIn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length === 0) {
      await this.#news.wait(this.#reached === this.#noted ? idleMs : saveEveryMs, signal);
      if (this.#waiting.length === 0) return await this.#note();
    }
    // One turn of the event loop: whatever arrived with this message joins its transaction.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const batch = this.#nextBatch();
    const taken = batch.map(({ delivery }) => this.#read(delivery));
    const position = batch.at(-1)!.delivery.position!;
    if (!await this.#commitUntilDone(taken, { position, signal })) return;
    this.#reached = position;
    this.#waiting.splice(0, batch.length);
    for (const { resolve } of batch) resolve();
  }

  #nextBatch(): readonly Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ delivery }, index) =>
      (bytes += delivery.data.length) > maxBatchBytes && index > 0
    );
    return this.#waiting.slice(0, Math.min(end === -1 ? maxBatch : end, maxBatch));
  }

  #read(delivery: Delivery): Taken {
    const { nodeId, maxPayloadBytes } = this.#options;
    const refuse = (error: string) => this.#refused(delivery, error);
    try {
      const draft = readMessage(delivery, { maxPayloadBytes });
      return draft.envelope.origin.nodeId === nodeId ? { kind: "own" } : { kind: "event", draft, refuse };
    } catch (error) {
      return { kind: "refused", refused: refuse(messageOf(error)) };
    }
  }

  #refused({ subject, headers, position }: Delivery, error: string): RefusedRow {
    const { nodeId, clock } = this.#options;
    return {
      node_id: nodeId,
      stream: position!.stream,
      stream_seq: position!.seq,
      subject,
      event_id: (headers["ce-id"] ?? "").slice(0, 128).toWellFormed(),
      error: error.slice(0, maxErrorLength).toWellFormed(),
      time: timestamp(clock),
    };
  }

  /** True when all of it is on disk; false when it was told to stop before. */
  async #commitUntilDone(
    taken: readonly Taken[],
    { position, signal }: { position: StreamPosition; signal: AbortSignal },
  ): Promise<boolean> {
    const isDue = this.#options.clock.monotonic() - this.#notedAt >= saveEveryMs;
    if (!isDue && taken.every(({ kind }) => kind === "own")) return true;
    for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      if (await this.#commit(taken, position)) return true;
      await pause(pauseMs * (0.5 + Math.random() / 2), signal);
    }
    return false;
  }

  /** Writes the position down where events of this node have moved it since the last commit. */
  async #note(): Promise<void> {
    if (this.#reached && this.#reached !== this.#noted) await this.#commit([], this.#reached);
  }

  async #commit(taken: readonly Taken[], position: StreamPosition): Promise<boolean> {
    const { store, pattern, clock, log, onCommitted } = this.#options;
    this.#committing = true;
    try {
      const batch = { pattern, taken, position, before: this.#noted };
      const committed = await store.commit(batch, clock.now());
      this.#noted = position;
      this.#notedAt = clock.monotonic();
      this.#problem = undefined;
      onCommitted(committed);
      this.#tellRefused(committed.refused);
      return true;
    } catch (error) {
      onCommitted({ rows: [], landed: [], refused: [] });
      if (error instanceof PositionMoved) throw error;
      if (this.#problem === undefined) log.error("events of other hosts could not be stored", { error });
      this.#problem = messageOf(error);
      return false;
    } finally {
      this.#committing = false;
    }
  }

  #tellRefused([first, ...others]: readonly RefusedRow[]): void {
    if (!first) return;
    const { subject, event_id, stream_seq, error } = first;
    this.#options.log.warn("refused what another host sent", {
      subject,
      event_id,
      stream_seq,
      reason: error,
      and_others: others.length,
    });
  }
}
