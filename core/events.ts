import type { Transaction } from "kysely";
import type { z } from "zod";
import type { ConsumeOptions, Delivery, Subscription } from "./bus/bus.ts";

/** A fact of the past, named by at least two tokens (`project.started`), with the shape of its data. */
export interface Event<Data> {
  readonly type: string;
  readonly schema: z.ZodType<Data>;
}

/** Declares an event; one constant per event, in the plugin's `events.ts`. */
export function defineEvent<Data>(type: string, schema: z.ZodType<Data>): Event<Data> {
  return { type, schema };
}

/** Who said so: always set by the agent, never by the caller. */
export interface Origin {
  readonly nodeId: string;
  /** The plugin that published, or `api` for what came in over HTTP. */
  readonly service: string;
  /** Name of the key that was used; null for what the agent did by itself. */
  readonly user: string | null;
}

/** An event with all that is known about it: CloudEvents 1.0 plus our extensions. */
export interface Envelope<Data = unknown> {
  /** UUIDv7, or the caller's own id. */
  readonly id: string;
  /** Bus subject: `hub.<node_id>.<type>` or `hub.global.<type>`. */
  readonly subject: string;
  readonly type: string;
  readonly origin: Origin;
  /** Slug of the project it is about. */
  readonly project: string | null;
  readonly correlationId: string;
  /** Id of the event that caused this one. */
  readonly causationId: string | null;
  readonly traceparent: string | null;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly data: Data;
}

/** What `publish` resolves to. */
export interface Published {
  readonly id: string;
  readonly correlationId: string;
  readonly time: string;
  /** Position in the log of this storage; absent when no plugin keeps events. */
  readonly seq?: number;
  /** True when the same event had been published before; the other fields are then those of the first time. */
  readonly duplicate: boolean;
}

export interface AppendOptions {
  /** The caller's transaction: the event is there if, and only if, that commits. */
  // deno-lint-ignore no-explicit-any -- a transaction over whichever tables the caller has
  readonly trx?: Transaction<any>;
  /** Sequence that the subject must be at (0 = no event yet), else Problem 409 `sequence_conflict`. */
  readonly expectedSeq?: number;
}

/** The store of record. The kernel hands it every event before anything else sees it; at most one plugin offers one. */
export interface Journal {
  /** Resolves when the event is as durable as the storage promises. Rejects with Problem 409 on conflicts. */
  append(envelope: Envelope, options?: AppendOptions): Promise<Published>;
  /**
   * Events that this node published, as `Bus.consume` hands them out, but out of the journal: the position survives the
   * process. `owner` is the plugin whose handler it is. Stopping it leaves the position where it is.
   */
  consume(
    options: ConsumeOptions & { owner: string },
    handle: (delivery: Delivery) => unknown,
  ): Subscription;
}
