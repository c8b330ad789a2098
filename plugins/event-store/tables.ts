/** Tables of the event-store; sequences are JavaScript numbers, times RFC 3339 UTC text, payloads JSON text. */
export interface EventStoreTables {
  event_store_event: EventRow;
  event_store_head: HeadRow;
  event_store_gap: GapRow;
  event_store_relay: RelayRow;
  event_store_parked: ParkedRow;
  event_store_retention: RetentionRow;
  event_store_retention_rule: RetentionRuleRow;
}

/** How an event came into this log: published by this node, or taken over from another log. Only the first is relayed. */
export type Arrival = "published" | "collected" | "imported";

/** What an event says; its hash covers all of it. */
export interface EventContent {
  /** 1, 2, 3 … in the order of the commits; gaps only where retention removed events. */
  readonly seq: number;
  /** Unique among the events of its node. */
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
  readonly arrival: Arrival;
  /** CloudEvents attributes that have no column here, as JSON: `source` as its author named it, extensions. */
  readonly attributes: string | null;
}

/** One stored event. */
export interface EventRow extends EventContent {
  /** CRC-32 of the content, checked by every read. */
  readonly checksum: number;
  /** SHA-256 over the predecessor's hash and the content; see event_hash.ts. */
  readonly hash: string;
}

/** The one row that every append locks: what it says is the end of the log. */
interface HeadRow {
  readonly id: number;
  readonly seq: number;
  readonly stored_ms: number;
  /** Hash of the last event. */
  readonly hash: string;
  /** Events in the log. */
  readonly events: number;
}

/** Where retention removed every event: the chain goes on behind it with `hash`. Neighbouring gaps are one row. */
export interface GapRow {
  readonly from_seq: number;
  readonly to_seq: number;
  /** Hash of the event `to_seq`, which is gone. */
  readonly hash: string;
  readonly removed_at: string;
  /** Public key (Ed25519, base64url) of the agent that removed them, and its signature over the rest of the row. */
  readonly signer: string;
  readonly signature: string;
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

/** Which of the agents on this database removes events; one row. */
export interface RetentionRow {
  readonly id: number;
  /** Id of the node; "" before the first. */
  readonly holder: string;
  readonly held_until_ms: number;
  /** Rises with every removal: who counted the log before has to count it anew. */
  readonly generation: number;
}

/** What falls under one rule, as of `run_at`, and what it has removed so far. */
export interface RetentionRuleRow {
  readonly subject: string;
  readonly events: number;
  readonly bytes: number;
  /** When the oldest event was stored. */
  readonly oldest: string | null;
  readonly removed_events: number;
  readonly removed_bytes: number;
  readonly run_at: string;
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
  "arrival",
  "attributes",
  "checksum",
  "hash",
  "payload",
] as const satisfies readonly (keyof EventRow)[];
