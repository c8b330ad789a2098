import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";

/** A message as the bus carries it; header names are lower-case. */
export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Why the bus could not do what was asked. */
export type BusErrorCode =
  | "unavailable" // not connected, or the connection broke before the answer
  | "timeout" // connected, but no answer within the deadline
  | "no_responders" // nobody answers on that subject
  | "too_large" // larger than the bus carries; sending again cannot help
  | "closed" // this bus was closed
  | "invalid_subject"
  | "invalid_header"; // a name or value that cannot be carried, such as one with a line break

/** Every error that a bus call rejects with. */
export class BusError extends Error {
  override readonly name = "BusError";
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What became of an appended event. */
export interface Appended {
  readonly duplicate: boolean;
}

/** A running subscription, consumer or responder. */
export interface Subscription {
  /** Takes no further message and resolves when the one in hand is done. */
  stop(): Promise<void>;
}

export interface SubscribeOptions {
  /** Subscriptions with the same queue name share the messages. */
  readonly queue?: string;
  /** Messages waiting for the handler before new ones are dropped (and counted); default 1000. */
  readonly maxPending?: number;
  /** Called once per burst with the number of messages dropped so far. */
  readonly onDropped?: (dropped: number) => void;
}

/** A durable consumer of the event stream: remembered by name, redelivers what was not handled. */
export interface ConsumeOptions {
  /** Name under which the position is kept: `[A-Za-z0-9_-]+`. */
  readonly durable: string;
  readonly pattern: string;
  /** Wait before each redelivery; the last one repeats. Default 1 s, 5 s, 30 s. */
  readonly backoffMs?: readonly number[];
  /** Deliveries of one message before it is given up (logged, counted); default 10; Infinity for never. */
  readonly maxDeliveries?: number;
  /** How long a handler may take before the message counts as lost; default 30 s; Infinity for ever. */
  readonly ackWaitMs?: number;
  /** Where a new consumer starts: with all that is kept, or with what comes after this call. Default "new". */
  readonly start?: "first" | "new";
  /** Called when a message was given up after `maxDeliveries`. */
  readonly onGivenUp?: (message: BusMessage, error: unknown) => void;
  /** Messages in hand at once at the most; default 1. Their handlers are begun in the order of the stream. */
  readonly concurrency?: number;
  /**
   * Where the consumer stands by its own account, which then counts more than what the bus remembers of it; asked for
   * at each connection, when nothing is in hand. Without meaning where the stream lives no longer than this process.
   */
  readonly resumeAt?: () => StreamPosition | "first";
}

/** A message that the durable stream has stored; what is behind it is new to whoever stands there. */
export interface StreamPosition {
  /** Identity of the stream, see `Bus.streamIdentity`. */
  readonly stream: string;
  readonly seq: number;
  /** When the stream stored it, in milliseconds: tells it from another one that took its place. */
  readonly timeMs: number;
}

/** A delivery to a durable consumer; `attempt` counts from 1. */
export interface Delivery extends BusMessage {
  readonly attempt: number;
  /** Where it lies in the durable stream; absent where that lives no longer than this process. */
  readonly position?: StreamPosition;
  /** Messages for this consumer that were behind it when it was delivered. */
  readonly behind?: number;
}

/** What an operator wants to know of the bus. */
export interface BusStatus {
  readonly kind: "memory" | "nats";
  readonly connected: boolean;
  /** Without credentials. */
  readonly url: string;
  /** Why not connected, or what the operator should look at. */
  readonly problem?: string;
  readonly reconnects: number;
}

/** What an opened bus is given besides its settings. */
export interface BusOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** Shown in the server's list of connections. */
  readonly clientName: string;
  /** Told of every error of a handler; the default logs it. */
  readonly onHandlerError?: (error: unknown, subject: string) => void;
}

/**
 * Carries messages between plugins and between hosts: in memory, or over NATS with JetStream.
 * Handlers get one message at a time; a handler that throws is reported through `onHandlerError` of the opener.
 */
export interface Bus {
  readonly kind: "memory" | "nats";

  /**
   * Sends without waiting and without a promise of delivery (presence, hints); drops while disconnected.
   * Throws BusError too_large, closed, invalid_header, or invalid_subject: also for an event subject
   * (`hub.*.*.>`), which the stream would keep.
   */
  publish(subject: string, data: Uint8Array, options?: { headers?: Readonly<Record<string, string>> }): void;

  /**
   * Puts an event into the durable stream; resolves when the bus has stored it.
   * The same `id` again inside the duplicate window is stored once, whoever appends it. Calls may overlap: their
   * order is kept.
   * Rejects with BusError; invalid_subject for what is no event subject (`hub.*.*.>`).
   */
  append(
    subject: string,
    data: Uint8Array,
    options: { id: string; headers?: Readonly<Record<string, string>> },
  ): Promise<Appended>;

  /**
   * Whether an event with this subject has to be appended at all: false only where the stream lives no longer than this
   * process, and nobody in it listens.
   */
  wants(subject: string): boolean;

  /**
   * Live messages that match `pattern`, also those that were appended, at most once for each time they are sent:
   * an event that is appended again after a broken connection may be seen again.
   */
  subscribe(
    pattern: string,
    handle: (message: BusMessage) => unknown,
    options?: SubscribeOptions,
  ): Subscription;

  /**
   * Appended events that match the pattern, at least once, acknowledged when `handle` resolves. Connects by itself
   * when the bus comes up later. Consumers with the same durable name share the events.
   */
  consume(options: ConsumeOptions, handle: (delivery: Delivery) => unknown): Subscription;

  /** Asks and waits for one answer. Rejects with BusError no_responders, timeout, unavailable. */
  request(
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; headers?: Readonly<Record<string, string>> },
  ): Promise<BusMessage>;

  /** Answers requests on `pattern`; several requests may be in hand at once (bounded, default 64). */
  respond(
    pattern: string,
    answer: (
      message: BusMessage,
    ) => Promise<{ data: Uint8Array; headers?: Readonly<Record<string, string>> }>,
    options?: { queue?: string; concurrency?: number },
  ): Subscription;

  /**
   * Identity of the durable stream. It changes when the stream was lost and made anew (an emptied server), which
   * tells a relay to send again what the old stream held. Rejects with BusError while disconnected.
   */
  streamIdentity(): Promise<string>;

  /**
   * Headers of the last event that the durable stream holds under `pattern`, so that a relay knows what really
   * arrived; undefined where there is none, or where the stream lives no longer than this process. Rejects with BusError.
   */
  lastAppended(pattern: string): Promise<Readonly<Record<string, string>> | undefined>;

  status(): BusStatus;
  /** Called on every connect, disconnect and problem; returns the way to stop listening. */
  onStatus(listener: (status: BusStatus) => void): () => void;
  /** Round trip to the server in milliseconds; rejects with BusError. */
  probe(timeoutMs: number): Promise<number>;
  /** Delivers what is in hand, then closes. Safe to call twice. */
  close(): Promise<void>;
}
