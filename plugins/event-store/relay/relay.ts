import { type Bus, BusError } from "../../../core/bus/bus.ts";
import { messageIdOf } from "../../../core/cloudevents.ts";
import { type Clock, timestamp } from "../../../core/clock.ts";
import type { Health } from "../../../core/health.ts";
import type { Logger } from "../../../core/log.ts";
import { messageOf } from "../../../core/errors.ts";
import { Wakeup } from "../../../core/wakeup.ts";
import { DamagedEvent } from "../log/damage.ts";
import { eventHeaders } from "./event_headers.ts";
import type { EventTail } from "../log/event_tail.ts";
import { findPosition } from "./relay_position.ts";
import type { EventStore, RelayPosition } from "../store.ts";
import type { EventRow } from "../tables.ts";
import { SendWindow } from "./send_window.ts";
import { Turns } from "../../../core/turns.ts";

const encoder = new TextEncoder();
/** Events read at once from the storage. */
const pageSize = 512;
/** Waits between attempts while the bus is away, in milliseconds; a connect cuts them short. */
const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** On a quiet log the bus is looked at this often, so that an emptied store is noticed. */
const idleMs = 5000;
/** How often the position is written down while events flow, in milliseconds. */
const saveEveryMs = 1000;
/** How long the log may be quiet before the position is written down, in milliseconds. */
const quietMs = 250;

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
    return { status: "degraded", message: `${parked} events stay behind: too large for the bus, or damaged` };
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
          if (!(error instanceof BusError)) {
            this.#problem = messageOf(error);
            throw error;
          }
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
    await this.#sendAll(signal);
    this.#problem = undefined;
    if (this.#isSure) await this.#waitForMore(signal);
  }

  async #findPosition(): Promise<void> {
    const { store, nodeId } = this.#options;
    this.#position = await findPosition(this.#options, this.#position ?? await store.relayPosition(nodeId));
    await this.#save();
  }

  /** Sends what the log holds, up to its end or the first failure, and waits until what is on its way has arrived. */
  async #sendAll(signal: AbortSignal): Promise<void> {
    const window = new SendWindow({ after: this.#position!.seq, size: this.#options.window });
    const canGoOn = () => !signal.aborted && this.#isSure && window.failure === undefined;
    const turns = new Turns();
    let page = await this.#read(this.#position!.seq);
    while (page.through !== undefined && canGoOn()) {
      const { rows, through } = page;
      // The next page is read while this one is sent.
      const ahead = page.complete ? undefined : this.#read(through);
      ahead?.catch(() => {}); // looked at below, unless there is a failure before
      await this.#sendRows(rows, { window, canGoOn });
      if (canGoOn()) window.skip(through);
      this.#reached(window);
      await turns.next(); // where nothing has to be sent, nothing waits: a large log would keep everybody else waiting
      if (!ahead) break;
      page = await ahead;
    }
    await window.settled();
    this.#reached(window);
    if (window.failure) throw window.failure.error;
  }

  async #sendRows(
    rows: readonly EventRow[],
    { window, canGoOn }: { window: SendWindow; canGoOn: () => boolean },
  ): Promise<void> {
    const { nodeId, bus } = this.#options;
    for (const row of rows) {
      if (window.isFull) {
        await window.room();
        this.#reached(window);
        if (this.#saveIsDue) await this.#save();
      }
      if (!canGoOn()) return;
      if (isOurs(row, nodeId) && bus.wants(row.subject)) this.#send(row, window);
      else window.skip(row.seq);
    }
  }

  /** The next events, and the sequence up to which the log is read with them; undefined at its end. */
  async #read(
    after: number,
  ): Promise<{ rows: readonly EventRow[]; through?: number; complete: boolean }> {
    const { store, tail, nodeId, clock, log } = this.#options;
    // Also where retention has removed what was there: sequences up to here are taken.
    const end = tail.position;
    const recent = tail.recent(after, pageSize);
    if (recent) {
      const through = recent.at(-1)!.seq;
      return { rows: recent, through, complete: through === end };
    }
    try {
      const page = await store.page({ from: after + 1, to: Number.MAX_SAFE_INTEGER }, { limit: pageSize });
      const last = page.rows.at(-1)?.seq ?? after;
      const through = page.complete ? Math.max(last, end) : last;
      return through > after ? { ...page, through } : page;
    } catch (error) {
      if (!(error instanceof DamagedEvent)) throw error;
      log.error("an event is damaged on disk and is not relayed", { seq: error.seq, error });
      await store.park({ seq: error.seq, node_id: nodeId }, { error: error.message, time: timestamp(clock) });
      return { rows: [], through: error.seq, complete: false };
    }
  }

  #send(row: EventRow, window: SendWindow): void {
    const data = encoder.encode(row.payload);
    const arrival = this.#options.bus.append(row.subject, data, {
      id: messageIdOf(row.node_id, row.id),
      headers: eventHeaders(row),
    }).catch((error) => this.#failed(row, error));
    window.send(row.seq, { characters: row.payload.length, arrival });
  }

  async #failed(row: EventRow, error: unknown): Promise<void> {
    const { store, clock, log } = this.#options;
    if (!(error instanceof BusError) || error.code !== "too_large") throw error;
    // No later attempt can succeed, and everything behind it would wait forever.
    log.error("an event is too large for the bus and stays behind", { seq: row.seq, id: row.id, error });
    await store.park(row, { error: error.message, time: timestamp(clock) });
  }

  #reached(window: SendWindow): void {
    if (window.reached <= this.#position!.seq) return;
    this.#position = { ...this.#position!, seq: window.reached };
    this.#problem = undefined; // it moves again, be the end of the log far away
  }

  get #saveIsDue(): boolean {
    return this.#options.clock.monotonic() - this.#savedAt >= saveEveryMs;
  }

  /** Writes the position down. Not after each window: what is sent again after a crash, the bus has seen before. */
  async #save(): Promise<void> {
    const { store, nodeId, clock } = this.#options;
    if (!this.#position) return;
    const position = this.#position;
    if (position.seq === this.#saved?.seq && position.stream === this.#saved.stream) return;
    await store.saveRelayPosition(nodeId, position);
    this.#saved = position;
    this.#savedAt = clock.monotonic();
  }

  /** Until the log grows; now and then without that. */
  async #waitForMore(signal: AbortSignal): Promise<void> {
    const { tail } = this.#options;
    const news = new Wakeup();
    const leave = tail.listen(() => news.wake());
    const isIdle = () => tail.position <= this.#position!.seq;
    try {
      if (isIdle()) await news.wait(quietMs, signal);
      if (isIdle() || this.#saveIsDue) await this.#save();
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
