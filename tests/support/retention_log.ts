import { generateKeyPairSync } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { getLogger } from "../../core/log.ts";
import type { Storage } from "../../core/storage/storage.ts";
import type { ConsumerTables } from "../../plugins/event-store/consumers/consumer_tables.ts";
import type { Draft } from "../../plugins/event-store/log/draft.ts";
import { EventTail } from "../../plugins/event-store/log/event_tail.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import { Retention } from "../../plugins/event-store/retention/retention.ts";
import { retentionSettings } from "../../plugins/event-store/retention/retention_settings.ts";
import { RetentionStore } from "../../plugins/event-store/retention/retention_store.ts";
import { EventStore } from "../../plugins/event-store/store.ts";
import type { EventRow, EventStoreTables } from "../../plugins/event-store/tables.ts";
import { eventDraft } from "./event_draft.ts";

/** A clock that a test sets. */
export class TestClock implements Clock {
  ms = Date.parse("2026-01-01T00:00:00Z");

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return this.ms;
  }
}

/** Retention of one agent, run by hand. */
export interface RetentionAgent {
  readonly tail: EventTail;
  /** Events that it removed, by transaction and rule. */
  readonly removals: readonly number[];
  round(signal?: AbortSignal): Promise<void>;
}

export interface AgentOptions {
  /** As in the configuration. */
  readonly rules: readonly object[];
  readonly clock: Clock;
  readonly nodeId?: string;
  readonly maxBatch?: number;
}

/** A log of its own, with whatever agents look after it. */
export class RetentionLog {
  readonly storage: Storage;
  readonly store: EventStore;
  readonly key = generateKeyPairSync("ed25519").privateKey;

  private constructor(storage: Storage) {
    this.storage = storage;
    this.store = new EventStore(storage);
  }

  static async open(storage: Storage): Promise<RetentionLog> {
    await storage.migrate("event-store", migrations);
    return new RetentionLog(storage);
  }

  /** An agent that has just started. */
  async agent({ rules, clock, nodeId = "a", maxBatch }: AgentOptions): Promise<RetentionAgent> {
    const tail = new EventTail({ store: this.store, log: getLogger("test") });
    await tail.start();
    const removals: number[] = [];
    const retention = new Retention({
      mayRemove: () => true,
      rules: retentionSettings.parse(rules),
      store: new RetentionStore(this.storage),
      storage: this.storage,
      tail,
      clock,
      log: getLogger("test"),
      nodeId,
      anchorKey: () => Promise.resolve(this.key),
      onRemoved: (_rule, { events }) => void removals.push(events),
      ...(maxBatch === undefined ? {} : { maxBatch }),
    });
    const never = new AbortController().signal;
    return { tail, removals, round: (signal = never) => retention.round(signal) };
  }

  /** Appends, and tells the agents. Taken over from elsewhere, so that no relay has to be waited for. */
  async append(
    drafts: readonly Draft[],
    { nowMs, agents = [] }: { nowMs: number; agents?: readonly RetentionAgent[] },
  ): Promise<readonly EventRow[]> {
    const { rows } = await this.store.append(drafts, nowMs);
    for (const { tail } of agents) tail.committed(rows);
    return rows;
  }

  /** Makes a consumer need everything from `seq` on. */
  async need(name: string, { subject, seq }: { subject: string; seq: number }): Promise<void> {
    const row: ConsumerTables["event_store_consumer"] = {
      name,
      subject,
      narrowing: null,
      projects: null,
      owner: null,
      description: null,
      start: "{}",
      position: seq - 1,
      ack_wait_ms: 1000,
      max_deliveries: 1,
      max_in_flight: 1,
      paused: 0,
      orderly: 1,
      created_at: "2026-01-01T00:00:00.000Z",
    };
    await this.storage.tables<ConsumerTables>().insertInto("event_store_consumer").values(row)
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ subject, position: seq - 1 }))
      .execute();
  }

  async rows(): Promise<EventRow[]> {
    return await this.storage.tables<EventStoreTables>().selectFrom("event_store_event").selectAll()
      .orderBy("seq").execute();
  }

  async gaps(): Promise<EventStoreTables["event_store_gap"][]> {
    return await this.storage.tables<EventStoreTables>().selectFrom("event_store_gap").selectAll()
      .orderBy("from_seq").execute();
  }
}

/** Events taken over from another log, of about `sizeBytes` each. */
export function takenOver(count: number, subject = "hub.b.demo.seen", sizeBytes = 10): Draft[] {
  const data = { text: "x".repeat(Math.max(0, sizeBytes - 11)) };
  return Array.from({ length: count }, () => ({ ...eventDraft(subject, { data }), arrival: "imported" }));
}
