import { type Bus, BusError } from "../../core/bus/bus.ts";
import { type Clock, timestamp } from "../../core/clock.ts";
import type { Health } from "../../core/health.ts";
import type { Logger } from "../../core/log.ts";
import { pause } from "../../core/supervise.ts";
import { Wakeup } from "../../core/wakeup.ts";
import { eventHeaders } from "./event_headers.ts";
import type { EventTail } from "./event_tail.ts";
import { findPosition } from "./relay_position.ts";
import type { EventStore, RelayPosition } from "./store.ts";
import type { EventRow } from "./tables.ts";
import { Unsettled } from "./unsettled.ts";

const encoder = new TextEncoder();
/** Characters of payload on their way at the same time: a connection to NATS holds 64 MiB and then refuses. */
const maxWindowCharacters = 8 * 1024 * 1024;
/** Waits between attempts while the bus is away, in milliseconds; a connect cuts them short. */
const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** On a quiet log the bus is looked at this often, so that an emptied store is noticed. */
const idleMs = 5000;
/** How often a bus that is full of unhandled events is looked at again, in milliseconds. */
const consumerPollMs = 50;
/** How often the position is written down while events flow, in milliseconds. */
const saveEveryMs = 250;

export interface RelayOptions {
  readonly store: EventStore;
  readonly tail: EventTail;
  readonly bus: Bus;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Events on their way at the same time. */
  readonly window: number;
  /** How far back to send again when the bus lost its store, in milliseconds. */
  readonly resendMs: number;
}

/**
 * Puts this node's stored events on the bus in the order of the log, and remembers how far it got. The bus drops what
 * it has seen (by event id), so that sending a window again after a failure changes nothing.
 */
export class Relay {
  readonly #options: RelayOptions;
  #position: RelayPosition | undefined;
  #saved: RelayPosition | undefined;
  readonly #unsettled = new Unsettled();
  #savedAt = -Infinity;
  /** Whether the position is known to be that of the bus as it is now. */
  #isSure = false;
  #problem: string | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Everything up to this sequence has reached the bus; undefined before the first look. */
  get position(): number | undefined {
    return this.#position?.seq;
  }

  /** Why nothing moves, when nothing moves. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Sequences between here and the end of the log. */
  async lag(): Promise<number> {
    return await this.#options.store.headSeq() - (this.position ?? 0);
  }

  /** Down where the bus is away, degraded where events had to be left behind. */
  async health(): Promise<Health> {
    const { store, nodeId } = this.#options;
    if (this.#problem !== undefined) {
      return { status: "down", message: `${await this.lag()} events wait: ${this.#problem}` };
    }
    const parked = await store.parkedCount(nodeId);
    if (parked === 0) return { status: "up" };
    return { status: "degraded", message: `${parked} events are too large for the bus and stay behind` };
  }

  /** Runs until aborted; rejects when the storage does. */
  async run(signal: AbortSignal): Promise<void> {
    let pauseMs = firstPauseMs;
    const leave = this.#options.bus.onStatus(() => this.#isSure = false);
    try {
      while (!signal.aborted) {
        try {
          await this.#goOn(signal);
          pauseMs = firstPauseMs;
        } catch (error) {
          this.#isSure = false;
          if (!(error instanceof BusError)) throw error;
          if (this.#problem === undefined) this.#options.log.warn("the relay waits for the bus", { error });
          this.#problem = error.message;
          await this.#waitForBus(pauseMs, signal);
          pauseMs = Math.min(pauseMs * 2, longestPauseMs);
        }
      }
      await this.#save();
    } finally {
      leave();
    }
  }

  async #goOn(signal: AbortSignal): Promise<void> {
    if (!this.#isSure) {
      this.#isSure = true;
      await this.#findPosition();
    }
    if (this.#unsettled.isFull) await this.#waitForConsumers(signal);
    const idle = await this.#sendWindow();
    this.#problem = undefined;
    if (idle) await this.#waitForMore(signal);
  }

  async #findPosition(): Promise<void> {
    const { store, nodeId } = this.#options;
    this.#position = await findPosition(this.#options, this.#position ?? await store.relayPosition(nodeId));
    await this.#save();
  }

  /** Sends the next window; true when the end of the log is reached. */
  async #sendWindow(): Promise<boolean> {
    const { store, tail, bus, nodeId, window, clock } = this.#options;
    const { seq, stream } = this.#position!;
    const recent = tail.recent(seq, window);
    const { rows, complete } = recent
      ? { rows: fitting(recent), complete: false }
      : await store.page({ from: seq + 1, to: Number.MAX_SAFE_INTEGER }, { limit: window });
    if (rows.length === 0) return true;
    const own = rows.filter((row) => isOurs(row, nodeId) && bus.wants(row.subject));
    const results = await Promise.allSettled(own.map((row) => this.#send(row)));
    const failed = results.findIndex((result) => result.status === "rejected");
    // What came before the first failure is on the bus; the rest of the window is sent again.
    const reached = failed === -1 ? rows.at(-1)!.seq : own[failed]!.seq - 1;
    this.#position = { seq: reached, stream };
    if (clock.monotonic() - this.#savedAt >= saveEveryMs) await this.#save();
    if (failed !== -1) throw (results[failed] as PromiseRejectedResult).reason;
    return complete || reached === tail.position;
  }

  async #send(row: EventRow): Promise<void> {
    const { bus, store, clock, log } = this.#options;
    const data = encoder.encode(row.payload);
    this.#unsettled.add(row.seq, data.length);
    const done = () => this.#unsettled.delete(row.seq);
    try {
      const { settled } = await bus.append(row.subject, data, {
        id: row.id,
        headers: eventHeaders(row),
      });
      if (settled) void settled.then(done);
      else done();
    } catch (error) {
      done();
      if (!(error instanceof BusError) || error.code !== "too_large") throw error;
      // No later attempt can succeed, and everything behind it would wait forever.
      log.error("an event is too large for the bus and stays behind", { seq: row.seq, id: row.id, error });
      await store.park(row, { error: error.message, time: timestamp(clock) });
    }
  }

  /** Writes the position down. Not after each window: what is sent again after a crash, the bus has seen before. */
  async #save(): Promise<void> {
    const { store, nodeId, clock } = this.#options;
    if (!this.#position) return;
    // After a crash everything that a consumer of this process had not finished comes again.
    const seq = Math.min(this.#position.seq, (this.#unsettled.first ?? Infinity) - 1);
    const position = { seq, stream: this.#position.stream };
    if (seq === this.#saved?.seq && position.stream === this.#saved.stream) return;
    await store.saveRelayPosition(nodeId, position);
    this.#saved = position;
    this.#savedAt = clock.monotonic();
  }

  async #waitForConsumers(signal: AbortSignal): Promise<void> {
    this.#problem = `durable consumers of this process are ${this.#unsettled.count} events behind`;
    this.#options.log.warn("the relay waits for durable consumers", { events: this.#unsettled.count });
    while (this.#unsettled.isFull && !signal.aborted) await pause(consumerPollMs, signal);
    this.#problem = undefined;
  }

  /** Until the log grows; now and then without that. */
  async #waitForMore(signal: AbortSignal): Promise<void> {
    const { tail } = this.#options;
    const news = new Wakeup();
    const leave = tail.listen(() => news.wake());
    const isIdle = () => tail.position <= this.#position!.seq;
    try {
      if (isIdle()) await news.wait(saveEveryMs, signal);
      if (isIdle()) await this.#save();
      if (isIdle()) await news.wait(idleMs, signal);
    } finally {
      leave();
    }
  }

  async #waitForBus(pauseMs: number, signal: AbortSignal): Promise<void> {
    const connected = new Wakeup();
    const leave = this.#options.bus.onStatus((status) => status.connected && connected.wake());
    await connected.wait(pauseMs * (0.5 + Math.random() / 2), signal);
    leave();
  }
}

/** What was taken over from another log is that log's to relay. */
function isOurs({ node_id, arrival }: EventRow, nodeId: string): boolean {
  return node_id === nodeId && arrival === "published";
}

/** The first of them that the connection holds at once; the very first in any case. */
function fitting(rows: readonly EventRow[]): readonly EventRow[] {
  let characters = 0;
  const end = rows.findIndex((row, index) =>
    (characters += row.payload.length) > maxWindowCharacters && index > 0
  );
  return end === -1 ? rows : rows.slice(0, end);
}
