import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/log.ts";
import type { Storage } from "../../core/storage/storage.ts";
import { ConsumerBook } from "../../plugins/event-store/consumers/consumer_book.ts";
import { ConsumerDesk } from "../../plugins/event-store/consumers/consumer_desk.ts";
import { consumerBody } from "../../plugins/event-store/consumers/consumer_json.ts";
import { ConsumerStore } from "../../plugins/event-store/consumers/consumer_store.ts";
import type { ConsumerRow } from "../../plugins/event-store/consumers/consumer_tables.ts";
import { DeadLetters } from "../../plugins/event-store/consumers/dead_letters.ts";
import { errorsOf } from "../../plugins/event-store/consumers/failed_delivery.ts";
import { DeliveryStore } from "../../plugins/event-store/consumers/delivery_store.ts";
import { tokenOf } from "../../plugins/event-store/consumers/delivery_token.ts";
import { PluginConsumers } from "../../plugins/event-store/consumers/plugin_consumers.ts";
import { EventTail } from "../../plugins/event-store/log/event_tail.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import { EventStore } from "../../plugins/event-store/store.ts";
import { eventDraft } from "./event_draft.ts";

/** A clock that a test moves by hand. */
export class HandClock implements Clock {
  #ms = Date.parse("2026-01-01T00:00:00Z");

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  pass(ms: number): void {
    this.#ms += ms;
  }
}

/** One delivery as a worker sees it. */
export interface Got {
  readonly seq: number;
  readonly attempt: number;
  readonly token: string;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** The consumers of one agent, over a storage of a test. */
export class TestConsumers {
  readonly clock: HandClock;
  readonly events: EventStore;
  readonly tail: EventTail;
  readonly store: ConsumerStore;
  readonly desk: ConsumerDesk;
  readonly book: ConsumerBook;
  readonly letters: DeadLetters;
  /** Handlers inside the agent, for what the node "a" published. */
  readonly handlers: PluginConsumers;

  constructor(storage: Storage, clock: HandClock) {
    this.clock = clock;
    this.events = new EventStore(storage);
    this.tail = new EventTail({ store: this.events, log: silent });
    this.store = new ConsumerStore(storage);
    const context = {
      storage,
      events: this.events,
      consumers: this.store,
      deliveries: new DeliveryStore(storage),
      clock,
    };
    this.desk = new ConsumerDesk({ ...context, tail: this.tail, maxWaiting: 10 });
    this.book = new ConsumerBook({ ...context, desk: this.desk, maxConsumers: 10 });
    this.letters = new DeadLetters({ ...context, desk: this.desk });
    this.handlers = new PluginConsumers({
      ...context,
      desk: this.desk,
      tail: this.tail,
      nodeId: "a",
      log: silent,
    });
  }

  /** Over a storage without tables yet. */
  static async open(storage: Storage, clock: HandClock = new HandClock()): Promise<TestConsumers> {
    await storage.migrate("event-store", migrations);
    return new TestConsumers(storage, clock);
  }

  /** Stores so many events of one subject. */
  async publish(count: number, subject = "hub.a.work.done"): Promise<void> {
    const drafts = Array.from({ length: count }, () => eventDraft(subject));
    this.tail.committed((await this.events.append(drafts, this.clock.now())).rows);
  }

  /** Makes or changes a consumer of everything. */
  async put(name: string, settings: Record<string, unknown> = {}): Promise<ConsumerRow> {
    const parsed = consumerBody.parse({ subject: "hub.>", start: "first", ...settings });
    return (await this.book.put(name, { settings: parsed, principal: undefined })).row;
  }

  async take(name: string, limit = 100): Promise<Got[]> {
    const { token, handouts } = await this.desk.take(name, limit);
    return handouts.map(({ event, attempt }) => ({
      seq: event.seq,
      attempt,
      token: tokenOf(event.seq, token),
    }));
  }
}

/** What tests look at of a dead letter. */
export interface Letter {
  readonly seq: number;
  readonly reason: string;
  readonly deliveries: number;
  readonly errors: readonly string[];
}

/** The dead letters of a consumer. */
export async function lettersOf(consumers: TestConsumers, name: string): Promise<Letter[]> {
  const row = await consumers.store.get(name);
  const { items } = await consumers.letters.list(row!, { after: 0, limit: 1000 });
  return items.map(({ letter: { seq, reason, deliveries, errors } }) => ({
    seq,
    reason,
    deliveries,
    errors: errorsOf(errors).map(({ error }) => error),
  }));
}
