import { timestamp } from "../../../core/clock.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";
import { filterOf } from "./consumer_view.ts";
import { explanations, noteOf, toDeadLetters } from "./failed_delivery.ts";
import { rereadEvents, scanNew } from "./pending_events.ts";
import type { PluginProgress } from "./plugin_progress.ts";
import type { TakeContext } from "./take_deliveries.ts";

/** Events read at once. */
const pageSize = 256;
/** Events that wait for their redelivery at the most; then no further event is taken until one of them is done. */
const maxPending = 1000;

/** What a plugin's handlers get next. */
export interface NextEvents {
  /** Delivered before. */
  readonly again: readonly EventRow[];
  readonly fresh: readonly EventRow[];
  /** How far the log was looked through for `fresh`. */
  readonly scannedTo: number;
  /** The event there, where it cannot be read. */
  readonly damaged: number | undefined;
  readonly more: boolean;
  readonly nextDueMs: number | null;
}

/** Finds what is due again and what is new for a plugin's consumer; what can never be read is buried. */
export async function nextEvents(
  { storage, events, subjects, consumers, deliveries, clock }: TakeContext,
  progress: PluginProgress,
): Promise<NextEvents> {
  const { row, position } = progress;
  const nowMs = clock.now();
  const consumer = row.name;
  const { due, pending, nextDueMs } = await deliveries.load(consumers.db, { consumer, nowMs });
  const waiting = due > 0 ? await deliveries.due(consumers.db, { consumer, nowMs, limit: pageSize }) : [];
  const again = await rereadEvents(storage.tables<EventStoreTables>(), waiting.map(({ seq }) => seq));
  for (const reason of ["damaged", "removed"] as const) {
    if (again[reason].length === 0) continue;
    const diedAt = timestamp(clock);
    await consumers.transaction(async (trx) => {
      const gone = await deliveries.takeDue(trx, { consumer, seqs: again[reason], nowMs });
      const note = noteOf(explanations[reason], diedAt);
      await deliveries.bury(trx, toDeadLetters(gone, { reason, diedAt, note, always: true }));
    });
  }
  const free = Math.min(pageSize - waiting.length, maxPending - pending);
  const scanned = free > 0
    ? await scanNew(events, { filter: filterOf(row), from: position + 1, limit: free, subjects })
    : { rows: [], scannedTo: position, damaged: undefined, more: waiting.length > 0 };
  return {
    again: [...again.found.values()],
    fresh: scanned.rows.filter(({ seq }) => !progress.isEntered(seq)),
    scannedTo: scanned.scannedTo,
    damaged: scanned.damaged,
    more: scanned.more,
    nextDueMs,
  };
}
