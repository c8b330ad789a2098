/** Tables of the consumers; durations and times in milliseconds, flags 0 or 1, JSON as text. */
export interface ConsumerTables {
  event_store_consumer: ConsumerRow;
  event_store_pending: PendingRow;
  event_store_dead_letter: DeadLetterRow;
}

/** A named position in the log. */
export interface ConsumerRow {
  readonly name: string;
  /** Subject or pattern; what it may skip besides is in `narrowing`. */
  readonly subject: string;
  /** JSON of a Narrowing, or null. */
  readonly narrowing: string | null;
  /** JSON array of the slugs whose events it gets; null = all events. */
  readonly projects: string | null;
  /** Plugin that handles its events inside the agent; null = workers outside, over HTTP. */
  readonly owner: string | null;
  readonly description: string | null;
  /** JSON of where it started, as it was asked for. */
  readonly start: string;
  /** Every sequence up to here was looked at: delivered, or none of its events. */
  readonly position: number;
  readonly ack_wait_ms: number;
  readonly max_deliveries: number;
  readonly max_in_flight: number;
  readonly paused: number;
  /** Of one with an owner: whether its process ended in order, so that `position` is exact. */
  readonly orderly: number;
  readonly created_at: string;
}

/** An event behind which the position went on, but that nobody has acknowledged. */
export interface PendingRow {
  readonly consumer: string;
  readonly seq: number;
  /** How often it was delivered. */
  readonly deliveries: number;
  /** Names the delivery that a worker has in hand; empty while none has. */
  readonly token: string;
  /** When the lease, or the wait before the next delivery, began. */
  readonly since_ms: number;
  /** When it may be delivered again. */
  readonly due_ms: number;
  /** JSON array of { error, at }, oldest first; null while nothing failed. */
  readonly errors: string | null;
}

/** Why an event is delivered no more. */
export type DeathReason = "max_deliveries" | "damaged" | "removed";

/** An event that was given up. */
export interface DeadLetterRow {
  readonly consumer: string;
  readonly seq: number;
  readonly reason: DeathReason;
  readonly deliveries: number;
  /** As in PendingRow. */
  readonly errors: string | null;
  readonly died_at: string;
}
