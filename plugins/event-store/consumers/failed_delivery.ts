import type { DeadLetterRow, DeathReason, PendingRow } from "./consumer_tables.ts";

/** Characters of one error that are kept. */
const maxErrorLength = 500;

/** Why a delivery came to nothing. */
export interface DeliveryError {
  readonly error: string;
  /** RFC 3339. */
  readonly at: string;
}

/** Why an event cannot be delivered at all. */
export const explanations = {
  damaged: "the event is damaged on disk",
  removed: "retention removed the event before it was acknowledged",
} as const;

/** One error as the JSON text that is kept of it. */
export function noteOf(error: string, at: string): string {
  const text = error.length > maxErrorLength ? `${error.slice(0, maxErrorLength).toWellFormed()}…` : error;
  return JSON.stringify({ error: text, at } satisfies DeliveryError);
}

/** The errors of a pending event or a dead letter, oldest first. */
export function errorsOf(text: string | null): readonly DeliveryError[] {
  return text === null ? [] : JSON.parse(text);
}

/** Pending events as dead letters; `note` is added where a worker never answered, or `always`. */
export function toDeadLetters(
  rows: readonly PendingRow[],
  { reason, diedAt, note, always = false }: {
    reason: DeathReason;
    diedAt: string;
    note: string;
    always?: boolean;
  },
): DeadLetterRow[] {
  return rows.map(({ consumer, seq, deliveries, token, errors }) => ({
    consumer,
    seq,
    reason,
    deliveries,
    errors: always || token !== "" ? joined(errors, note) : errors,
    died_at: diedAt,
  }));
}

function joined(errors: string | null, note: string): string {
  return errors === null ? `[${note}]` : `${errors.slice(0, -1)},${note}]`;
}
