/** Tables of the event-store; sequences are JavaScript numbers, times RFC 3339 UTC text, payloads JSON text. */
export interface EventStoreTables {
  event_store_event: EventRow;
  event_store_head: HeadRow;
  event_store_relay: RelayRow;
  event_store_parked: ParkedRow;
}

/** One stored event. */
export interface EventRow {
  /** 1, 2, 3 … without gaps, in the order of the commits. */
  readonly seq: number;
  readonly id: string;
  readonly subject: string;
  readonly type: string;
  readonly node_id: string;
  readonly service: string;
  readonly user_name: string | null;
  readonly project: string | null;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly traceparent: string | null;
  readonly time: string;
  /** When it was stored, in milliseconds; never falls as seq rises, so that a time can be searched by halving. */
  readonly stored_ms: number;
  readonly payload: string;
}

/** The one row that every append locks: what it says is the end of the log. */
interface HeadRow {
  readonly id: number;
  readonly seq: number;
  readonly stored_ms: number;
}

/** How far this node's events have reached the bus. */
interface RelayRow {
  readonly node_id: string;
  readonly seq: number;
  /** Identity of the bus's store that this position belongs to. */
  readonly stream: string;
}

/** An event that the bus can never take. */
interface ParkedRow {
  readonly seq: number;
  readonly node_id: string;
  readonly error: string;
  readonly time: string;
}

/** Columns of an event in the order of every insert. */
export const eventColumns = [
  "seq",
  "id",
  "subject",
  "type",
  "node_id",
  "service",
  "user_name",
  "project",
  "correlation_id",
  "causation_id",
  "traceparent",
  "time",
  "stored_ms",
  "payload",
] as const satisfies readonly (keyof EventRow)[];
