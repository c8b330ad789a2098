import { newId, timestamp } from "../../../core/clock.ts";
import type { Outcome } from "../../../core/bus/delivery.ts";
import { messageOf } from "../../../core/errors.ts";
import type { ConsumerRow } from "./consumer_tables.ts";
import { narrowingText } from "./consumer_view.ts";
import { explanations, noteOf, toDeadLetters } from "./failed_delivery.ts";
import type { NextEvents } from "./next_events.ts";
import type { PluginConsumerOptions } from "./plugin_consumer.ts";

/** How often the position is written down while events flow, in milliseconds, and after how many events. */
const saveEveryMs = 250;
const saveEveryEvents = 256;
/** After a crash so many events are entered one by one before they are handled: one of them may have been its cause. */
const carefulEvents = saveEveryEvents + 64;
/** A delivery inside the process has no end but that of the handler or the process. */
const foreverMs = 8e15;
const unlimited = 1_000_000_000;

/** A delivery that is under way. */
export interface Begun {
  readonly seq: number;
  readonly attempt: number;
  /** Where it is entered as pending, and so counts even if the process ends now. */
  readonly token: string | undefined;
}

/** How far a consumer of a plugin came: in memory event by event, in the database now and then. */
export class PluginProgress {
  readonly #options: PluginConsumerOptions;
  readonly #row: ConsumerRow;
  #saved: number;
  #savedAtMs: number;
  #unsaved = 0;
  #careful: number;
  /** New events that were begun or will be, in order; the first that is not done; those behind it that are. */
  #expected: readonly number[] = [];
  #open = 0;
  readonly #done = new Set<number>();
  /** Behind the position, but pending or dead since before a crash. */
  readonly #entered: ReadonlySet<number>;
  #position: number;

  private constructor(
    options: PluginConsumerOptions,
    { row, entered, careful }: { row: ConsumerRow; entered: readonly number[]; careful: number },
  ) {
    this.#options = options;
    this.#row = row;
    this.#entered = new Set(entered);
    this.#position = this.#saved = row.position;
    this.#savedAtMs = options.clock.monotonic();
    this.#careful = careful;
  }

  /** Makes the consumer, or goes on where its last process was. */
  static async begin(options: PluginConsumerOptions, position: number): Promise<PluginProgress> {
    const { consumers, deliveries, name, clock } = options;
    const known = await consumers.get(name);
    if (!known) {
      const row = { ...settingsOf(options), name, created_at: timestamp(clock), position };
      await consumers.insert(row);
      return new PluginProgress(options, { row, entered: [], careful: 0 });
    }
    const { start: _asAtFirst, ...change } = settingsOf(options);
    const entered = await consumers.transaction(async (trx) => {
      await consumers.updateIn(trx, { name, change });
      await deliveries.endLeases(trx, { consumer: name, nowMs: clock.now() });
      return await deliveries.enteredBehind(trx, { consumer: name, seq: known.position });
    });
    const careful = known.orderly ? 0 : carefulEvents;
    return new PluginProgress(options, { row: { ...known, ...change }, entered, careful });
  }

  get row(): ConsumerRow {
    return this.#row;
  }

  /** Everything up to here is done, pending, or none of its events. */
  get position(): number {
    return this.#position;
  }

  /** Whether the event comes again or never, and so is no new one although the position is not behind it yet. */
  isEntered(seq: number): boolean {
    return this.#entered.has(seq);
  }

  /** New events that will be begun in this order. */
  expect(seqs: readonly number[]): void {
    this.#expected = seqs;
    this.#open = 0;
    this.#done.clear();
  }

  /** Enters the delivery where it has to be known before it is made; undefined where it is not wanted any more. */
  async start(seq: number, again: boolean): Promise<Begun | undefined> {
    const { consumers, deliveries, clock } = this.#options;
    if (!again && this.#careful === 0) return { seq, attempt: 1, token: undefined };
    const nowMs = clock.now();
    const token = newId();
    const lease = { consumer: this.#row.name, seqs: [seq], token, nowMs, dueMs: foreverMs };
    if (again) {
      const note = noteOf("the agent ended while it was handled", timestamp(clock));
      const [entered] = await deliveries.redeliver(consumers.db, {
        ...lease,
        note,
        maxDeliveries: unlimited,
      });
      return entered && { seq, attempt: entered.deliveries, token };
    }
    this.#careful--;
    await deliveries.insert(consumers.db, { ...lease, deliveries: 1 });
    return { seq, attempt: 1, token };
  }

  /** Writes down what became of a delivery, as far as it has to be. */
  async settle(
    { seq, token, attempt }: Begun,
    { outcome, error, at }: { outcome: Outcome; error: unknown; at: string },
  ): Promise<void> {
    const { consumers, deliveries, clock } = this.#options;
    const consumer = this.#row.name;
    const delivered = { consumer, seqs: [seq], token: token ?? newId() };
    if (outcome.kind === "handled") {
      if (token !== undefined) await deliveries.acknowledge(consumers.db, delivered);
    } else {
      const nowMs = clock.now();
      const note = noteOf(messageOf(error), at);
      await consumers.transaction(async (trx) => {
        if (token === undefined) {
          await deliveries.insert(trx, { ...delivered, deliveries: attempt, nowMs, dueMs: nowMs });
        }
        if (outcome.kind === "again") {
          const dueMs = nowMs + outcome.delayMs;
          await deliveries.giveBack(trx, { ...delivered, note, nowMs, dueMs, maxDeliveries: unlimited });
        } else {
          const rows = await deliveries.takeInHand(trx, delivered);
          const letters = toDeadLetters(rows, { reason: "max_deliveries", diedAt: at, note });
          await deliveries.bury(trx, letters);
        }
      });
    }
    await this.#count(seq);
  }

  async #count(seq: number): Promise<void> {
    this.#done.add(seq);
    while (this.#done.delete(this.#expected[this.#open] ?? -1)) {
      this.#position = this.#expected[this.#open++]!;
    }
    const isTime = this.#options.clock.monotonic() - this.#savedAtMs >= saveEveryMs;
    if (++this.#unsaved >= saveEveryEvents || isTime) await this.save();
  }

  /** All of these are done with. */
  async reach({ scannedTo, damaged }: NextEvents): Promise<void> {
    const { consumers, deliveries, clock } = this.#options;
    if (damaged !== undefined) {
      const died_at = timestamp(clock);
      const errors = `[${noteOf(explanations.damaged, died_at)}]`;
      const letter = { consumer: this.#row.name, seq: damaged, deliveries: 0, errors, died_at };
      await consumers.transaction((trx) => deliveries.bury(trx, [{ ...letter, reason: "damaged" }]));
    }
    this.#position = Math.max(this.#position, scannedTo);
  }

  /** Writes the position down. Rejects where the consumer was deleted. */
  async save(): Promise<void> {
    this.#unsaved = 0;
    this.#savedAtMs = this.#options.clock.monotonic();
    const position = this.#position;
    if (position <= this.#saved) return;
    this.#saved = position;
    const { name } = this.#row;
    if (await this.#options.consumers.update(name, { position })) return;
    throw new Error(`Cannot go on with the consumer "${name}": it was deleted; it is made anew`);
  }

  /** Writes down that nothing is under way. */
  async end(): Promise<void> {
    const position = Math.max(this.#position, this.#saved);
    await this.#options.consumers.update(this.#row.name, { position, orderly: 1 });
  }
}

function settingsOf({ owner, nodeId, policy }: PluginConsumerOptions) {
  return {
    subject: policy.pattern,
    // What a bus would carry: events that were published here, not those that were taken over from elsewhere.
    narrowing: narrowingText({ origin: nodeId, arrival: "published" }),
    projects: null,
    owner,
    description: null,
    start: JSON.stringify(policy.start),
    ack_wait_ms: Math.min(policy.ackWaitMs, unlimited),
    max_deliveries: Math.min(policy.maxDeliveries, unlimited),
    max_in_flight: policy.concurrency,
    paused: 0,
    orderly: 0,
  };
}
