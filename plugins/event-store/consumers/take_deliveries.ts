import type { Transaction } from "kysely";
import { type Clock, newId, timestamp } from "../../../core/clock.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";
import type { ConsumerStore } from "./consumer_store.ts";
import type { ConsumerRow, ConsumerTables, DeathReason } from "./consumer_tables.ts";
import { filterOf, sameView } from "./consumer_view.ts";
import type { DeliveryStore, Load } from "./delivery_store.ts";
import { explanations, noteOf, toDeadLetters } from "./failed_delivery.ts";
import { type Reread, rereadEvents, type Scanned, scanNew } from "./pending_events.ts";

/** Positions are written down at the latest after so many sequences without an event for the consumer. */
const silentSequences = 5000;

/** One event on its way to a worker. */
export interface Handout {
  readonly event: EventRow;
  /** Counts from 1. */
  readonly attempt: number;
}

/** What a worker got. */
export interface Taken {
  /** Names all of these deliveries. */
  readonly token: string;
  readonly handouts: readonly Handout[];
  /** When their lease ends. */
  readonly dueMs: number;
  /** Whether there may be more right now. */
  readonly more: boolean;
  /** When something may be delivered again; null = not before something happens. */
  readonly nextDueMs: number | null;
  /** Up to here the log holds nothing else for this consumer. */
  readonly scannedTo: number;
}

/** What handing out events needs. */
export interface TakeContext {
  readonly storage: Storage;
  readonly events: EventStore;
  readonly subjects?: SubjectCatalog | undefined;
  readonly consumers: ConsumerStore;
  readonly deliveries: DeliveryStore;
  readonly clock: Clock;
}

/** What was read before the consumer is locked: nobody waits for a slow read. */
interface Prepared {
  readonly consumer: ConsumerRow;
  readonly again: Reread;
  readonly fresh: Scanned;
  readonly nextDueMs: number | null;
}

const noEvents: Reread = { found: new Map(), damaged: [], removed: [] };

/**
 * Hands out the next events of a consumer: first those that are due again, then new ones, all of it in one transaction
 * that holds the consumer. Undefined where it does not exist. Calls for one consumer have to take turns.
 */
export async function takeDeliveries(
  context: TakeContext,
  { name, limit }: { name: string; limit: number },
): Promise<Taken | undefined> {
  for (;;) {
    const consumer = await context.consumers.get(name);
    if (!consumer) return undefined;
    if (consumer.paused) return nothing(consumer.position, null);
    const prepared = await prepare(context, consumer, limit);
    const { again, fresh } = prepared;
    const found = again.found.size + again.damaged.length + again.removed.length + fresh.rows.length;
    if (found === 0 && fresh.damaged === undefined) {
      if (fresh.scannedTo - consumer.position >= silentSequences) {
        await advance(context, consumer, fresh.scannedTo);
      }
      return { ...nothing(fresh.scannedTo, prepared.nextDueMs), more: fresh.more };
    }
    const taken = await context.consumers.transaction((trx) => hand(trx, { context, prepared, limit }));
    // Another agent, or a change of the consumer, came first: what was read may be gone.
    if (taken) return taken;
  }
}

/** Moves the position of a consumer over what holds nothing for it; never back. */
export async function advance(
  { consumers }: Pick<TakeContext, "consumers">,
  consumer: ConsumerRow,
  position: number,
): Promise<void> {
  await consumers.transaction(async (trx) => {
    const now = await consumers.lock(trx, consumer.name);
    if (!now || !sameView(now, consumer) || now.position >= position) return;
    await consumers.updateIn(trx, { name: consumer.name, change: { position } });
  });
}

function nothing(scannedTo: number, nextDueMs: number | null): Taken {
  return { token: "", handouts: [], dueMs: 0, more: false, nextDueMs, scannedTo };
}

async function prepare(context: TakeContext, consumer: ConsumerRow, limit: number): Promise<Prepared> {
  const { storage, events, subjects, consumers, deliveries, clock } = context;
  const { name, position } = consumer;
  const nowMs = clock.now();
  const load = await deliveries.load(consumers.db, { consumer: name, nowMs });
  const room = Math.max(0, Math.min(limit, consumer.max_in_flight - load.inFlight));
  const due = load.due > 0 && room > 0
    ? await deliveries.due(consumers.db, { consumer: name, nowMs, limit: room })
    : [];
  const again = due.length > 0
    ? await rereadEvents(storage.tables<EventStoreTables>(), due.map(({ seq }) => seq))
    : noEvents;
  const free = Math.min(room - due.length, consumer.max_in_flight - load.pending);
  const fresh: Scanned = free > 0
    ? await scanNew(events, { filter: filterOf(consumer), from: position + 1, limit: free, subjects })
    : { rows: [], scannedTo: position, damaged: undefined, more: false };
  return { consumer, again, fresh, nextDueMs: load.nextDueMs };
}

async function hand(
  trx: Transaction<ConsumerTables>,
  { context, prepared, limit }: { context: TakeContext; prepared: Prepared; limit: number },
): Promise<Taken | undefined> {
  const { consumers, deliveries, clock } = context;
  const { again, fresh } = prepared;
  const consumer = await consumers.lock(trx, prepared.consumer.name);
  if (!consumer || consumer.paused || !sameView(consumer, prepared.consumer)) return undefined;
  const nowMs = clock.now();
  const dueMs = nowMs + consumer.ack_wait_ms;
  const before = await deliveries.load(trx, { consumer: consumer.name, nowMs });
  const lease = { consumer: consumer.name, token: newId(), nowMs, dueMs };
  const redelivered = await redeliver(trx, { context, consumer, again, lease });
  const room = Math.min(limit, consumer.max_in_flight - before.inFlight) - redelivered.length;
  const first = firstDeliveries({ consumer, fresh, room: Math.min(room, roomBehind(consumer, before)) });
  const seqs = first.rows.map(({ seq }) => seq);
  await deliveries.insert(trx, { ...lease, seqs, deliveries: 1 });
  await buryUnread(trx, { context, consumer, reason: "damaged", seqs: first.damaged });
  if (first.position > consumer.position) {
    await consumers.updateIn(trx, { name: consumer.name, change: { position: first.position } });
  }
  const handouts = [...redelivered, ...first.rows.map((event) => ({ event, attempt: 1 }))];
  const scannedTo = Math.max(consumer.position, first.position);
  if (handouts.length === 0) return undefined;
  return { token: lease.token, handouts, dueMs, more: fresh.more, nextDueMs: dueMs, scannedTo };
}

/** New events that may wait beside what is pending already. */
function roomBehind({ max_in_flight }: ConsumerRow, { pending }: Load): number {
  return max_in_flight - pending;
}

/** What of the new events is still new and fits, and how far the position goes with it. */
function firstDeliveries(
  { consumer, fresh, room }: { consumer: ConsumerRow; fresh: Scanned; room: number },
): { rows: readonly EventRow[]; damaged: readonly number[]; position: number } {
  const { position } = consumer;
  const behind = fresh.rows.filter((row) => row.seq > position);
  const rows = behind.slice(0, Math.max(0, room));
  if (rows.length < behind.length) return { rows, damaged: [], position: rows.at(-1)?.seq ?? position };
  const damaged = fresh.damaged !== undefined && fresh.damaged > position ? [fresh.damaged] : [];
  return { rows, damaged, position: Math.max(position, fresh.scannedTo) };
}

interface Lease {
  readonly consumer: string;
  readonly token: string;
  readonly nowMs: number;
  readonly dueMs: number;
}

async function redeliver(
  trx: Transaction<ConsumerTables>,
  { context, consumer, again, lease }: {
    context: TakeContext;
    consumer: ConsumerRow;
    again: Reread;
    lease: Lease;
  },
): Promise<Handout[]> {
  const { deliveries, clock } = context;
  const note = noteOf("not acknowledged in time", timestamp(clock));
  const chosen = {
    ...lease,
    seqs: [...again.found.keys()],
    maxDeliveries: consumer.max_deliveries,
    note,
  };
  if (chosen.seqs.length > 0) {
    const exhausted = await deliveries.takeExhausted(trx, chosen);
    const diedAt = timestamp(clock);
    await deliveries.bury(trx, toDeadLetters(exhausted, { reason: "max_deliveries", diedAt, note }));
  }
  for (const reason of ["damaged", "removed"] as const) {
    if (again[reason].length === 0) continue;
    const gone = await deliveries.takeDue(trx, { ...lease, seqs: again[reason] });
    const told = noteOf(explanations[reason], timestamp(clock));
    await deliveries.bury(
      trx,
      toDeadLetters(gone, { reason, diedAt: timestamp(clock), note: told, always: true }),
    );
  }
  const given = await deliveries.redeliver(trx, chosen);
  return given.sort((one, other) => one.seq - other.seq)
    .map(({ seq, deliveries: attempt }) => ({ event: again.found.get(seq)!, attempt }));
}

async function buryUnread(
  trx: Transaction<ConsumerTables>,
  { context, consumer, reason, seqs }: {
    context: TakeContext;
    consumer: ConsumerRow;
    reason: Exclude<DeathReason, "max_deliveries">;
    seqs: readonly number[];
  },
): Promise<void> {
  const diedAt = timestamp(context.clock);
  const errors = `[${noteOf(explanations[reason], diedAt)}]`;
  await context.deliveries.bury(
    trx,
    seqs.map((seq) => ({ consumer: consumer.name, seq, reason, deliveries: 0, errors, died_at: diedAt })),
  );
}
