import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { StreamPosition } from "./bus.ts";
import type { DeliveryPolicy } from "./delivery.ts";
import type { NatsConnection } from "./nats_connection.ts";
import type { StreamSettings } from "./settings.ts";
import { eventPattern } from "./subject.ts";

const nanosPerMs = 1_000_000;

/**
 * How long the server waits for a sign of life before it delivers again what a lost connection or host had in hand.
 * A handler may take longer: as long as it works, we say so several times in this span.
 */
const patienceMs = 10_000;
const forgottenAfterMs = 30 * 24 * 60 * 60 * 1000;

/**
 * Where a consumer that has to be made starts: with everything kept, at a sequence, or with what was stored since a
 * moment (of the clock the stream was opened with, monotonic milliseconds).
 */
export type ConsumerStart = "first" | { readonly seq: number } | { readonly since: number };

/** A consumer that is there. */
export interface OpenedConsumer {
  /** Sequence that its next new message has at least. */
  readonly nextSeq: number;
  /** How long the server waits for a sign of life about a message it delivered, in milliseconds. */
  readonly patienceMs: number;
  /** Settings that differ from what was asked for. */
  readonly changed: readonly string[];
}

export interface NatsStreamOptions {
  readonly settings: StreamSettings;
  readonly log: Logger;
  readonly clock: Clock;
}

/** The durable stream on one connection; the only user of JetStream's management interface. */
export class NatsStream {
  readonly name: string;
  /** Changes when the stream was lost and made anew. */
  readonly identity: string;
  readonly #manager: JetStreamManager;
  /** Add it to monotonic time for the server's time, which stamps the events; early by a round trip at the most. */
  readonly #serverOffsetMs: number;

  private constructor(manager: JetStreamManager, info: StreamInfo, clock: Clock) {
    this.#manager = manager;
    this.name = info.config.name;
    this.identity = identityOf(info);
    this.#serverOffsetMs = (info.ts === undefined ? clock.now() : Date.parse(info.ts)) - clock.monotonic();
  }

  /** Finds the stream, or makes it where it is absent. One with other settings is left alone; a warning tells of it. */
  static async open(connection: NatsConnection, options: NatsStreamOptions): Promise<NatsStream> {
    const { settings, log, clock } = options;
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: 5000 });
    const wanted = streamConfig(settings);
    const existing = await unlessMissing(
      manager.streams.info(settings.name),
      JetStreamApiCodes.StreamNotFound,
    );
    if (!existing) {
      const info = await manager.streams.add(wanted);
      log.info(`Created the stream "${settings.name}"`);
      return new NatsStream(manager, info, clock);
    }
    if (!existing.config.subjects?.includes(eventPattern)) {
      throw new Error(`it exists, but does not hold ${eventPattern}; configure another bus.stream.name`);
    }
    const found = differences(existing.config, wanted);
    if (found.length > 0) {
      log.warn(
        `Stream "${settings.name}" exists with other settings and is left as it is: ${found.join(", ")}`,
      );
    }
    return new NatsStream(manager, existing, clock);
  }

  /** What the identity is at this moment; it differs from `identity` once the stream was replaced behind our back. */
  async currentIdentity(): Promise<string> {
    return identityOf(await this.#manager.streams.info(this.name));
  }

  /** Headers of the last message under `pattern`; undefined where there is none. */
  async lastHeaders(pattern: string): Promise<Readonly<Record<string, string>> | undefined> {
    const message = await this.#manager.streams.getMessage(this.name, { last_by_subj: pattern });
    return message
      ? Object.fromEntries([...message.header].map(([name, [value]]) => [name, value!]))
      : undefined;
  }

  /** Finds the durable consumer, or makes it where it is absent. One with other settings is left alone. */
  async openConsumer(policy: DeliveryPolicy, start: ConsumerStart): Promise<OpenedConsumer> {
    const existing = await this.#findConsumer(policy.durable);
    const info = existing ?? await this.#addConsumer(policy, start);
    return opened(info, existing ? differences(existing.config, consumerConfig(policy)) : []);
  }

  /** Makes the durable consumer stand right behind `position`, wherever the server thinks that it was. */
  async placeConsumer(policy: DeliveryPolicy, position: StreamPosition | "first"): Promise<OpenedConsumer> {
    const start = position !== "first" && await this.#holds(position) ? { seq: position.seq + 1 } : "first";
    const existing = await this.#findConsumer(policy.durable);
    if (existing) {
      const stands = start !== "first" && existing.delivered.stream_seq + 1 === start.seq &&
        existing.num_ack_pending === 0 && differences(existing.config, consumerConfig(policy)).length === 0;
      if (stands) return opened(existing, []);
      await this.#manager.consumers.delete(this.name, policy.durable);
    }
    return opened(await this.#addConsumer(policy, start), []);
  }

  /** Whether what is behind the position is what was behind it when it was noted; it may have grown too old to be kept. */
  async #holds({ stream, seq, timeMs }: StreamPosition): Promise<boolean> {
    if (stream !== this.identity) return false;
    const message = await this.#manager.streams.getMessage(this.name, { seq });
    if (message) return message.time.getTime() === timeMs;
    const { state } = await this.#manager.streams.info(this.name);
    return seq <= state.last_seq;
  }

  #findConsumer(durable: string): Promise<ConsumerInfo | undefined> {
    return unlessMissing(
      this.#manager.consumers.info(this.name, durable),
      JetStreamApiCodes.ConsumerNotFound,
    );
  }

  #addConsumer(policy: DeliveryPolicy, start: ConsumerStart): Promise<ConsumerInfo> {
    return this.#manager.consumers.add(this.name, {
      ...consumerConfig(policy),
      ...this.#deliverPolicy(start),
    });
  }

  #deliverPolicy(start: ConsumerStart): Partial<ConsumerConfig> {
    if (start === "first") return { deliver_policy: DeliverPolicy.All };
    if ("seq" in start) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start.seq };
    const since = new Date(start.since + this.#serverOffsetMs).toISOString();
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: since };
  }
}

/** Whether the error says that the stream itself is not there. */
export function isStreamMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
}

/** Why JetStream did not do what was asked, for the operator. */
export function jetStreamFault(error: unknown): string {
  if (error instanceof Error && error.name === "JetStreamNotEnabled") {
    return "the server has JetStream switched off; start nats-server with -js, or with jetstream {} in its configuration";
  }
  return messageOf(error);
}

function opened(info: ConsumerInfo, changed: readonly string[]): OpenedConsumer {
  return {
    nextSeq: info.delivered.stream_seq + 1,
    patienceMs: (info.config.ack_wait ?? 0) / nanosPerMs || patienceMs,
    changed,
  };
}

function streamConfig(settings: StreamSettings): StreamConfigInput {
  return {
    name: settings.name,
    subjects: [eventPattern],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    storage: settings.storage,
    num_replicas: settings.replicas,
    max_age: settings.max_age * nanosPerMs,
    max_bytes: settings.max_bytes ?? -1,
    duplicate_window: settings.duplicate_window * nanosPerMs,
  };
}

type StreamConfigInput = Pick<
  StreamConfig,
  | "name"
  | "subjects"
  | "retention"
  | "discard"
  | "storage"
  | "num_replicas"
  | "max_age"
  | "max_bytes"
  | "duplicate_window"
>;

function consumerConfig(policy: DeliveryPolicy): Partial<ConsumerConfig> {
  return {
    durable_name: policy.durable,
    filter_subject: policy.pattern,
    ack_policy: AckPolicy.Explicit,
    ack_wait: patienceMs * nanosPerMs,
    // The maximum and the backoff are kept by us, who can tell of a message that is given up; the server could not.
    max_deliver: -1,
    // Who keeps the position itself loses nothing with the consumer: one that nobody wants any more goes away.
    ...(policy.resumeAt ? { inactive_threshold: forgottenAfterMs * nanosPerMs } : {}),
  };
}

/** Each setting that is not as wanted, as `max_age is 1, configured 2`. */
function differences(existing: object, wanted: object): string[] {
  const found = existing as Readonly<Record<string, unknown>>;
  return Object.entries(wanted)
    .filter(([key, value]) => JSON.stringify(found[key]) !== JSON.stringify(value))
    .map(([key, value]) => `${key} is ${JSON.stringify(found[key])}, configured ${JSON.stringify(value)}`);
}

function identityOf(info: StreamInfo): string {
  return `${info.config.name}@${info.created}`;
}

async function unlessMissing<Info>(info: Promise<Info>, missing: number): Promise<Info | undefined> {
  try {
    return await info;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === missing) return undefined;
    throw error;
  }
}
