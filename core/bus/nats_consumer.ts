import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Delivery, StreamPosition, Subscription } from "./bus.ts";
import { deliver, type DeliveryContext, type Outcome } from "./delivery.ts";
import { NatsPull, type Pulled } from "./nats_pull.ts";
import type { NatsSession } from "./nats_session.ts";
import { type ConsumerStart, isStreamMissing, type NatsStream } from "./nats_stream.ts";

export interface NatsConsumerOptions extends DeliveryContext {
  readonly clock: Clock;
  readonly handle: (delivery: Delivery) => unknown;
  /** Told when the stream turns out to be gone. */
  readonly onStreamMissing: (stream: NatsStream) => void;
}

/** How far we got, should the consumer have to be made anew. */
interface Progress {
  readonly identity: string;
  nextSeq: number;
  /** Sequences that were delivered and are to be delivered again. */
  readonly open: Set<number>;
}

const maxBatch = 64;
const shortestPauseMs = 100;
const longestPauseMs = 10_000;

/** A durable consumer that goes on over any number of connections, and over streams that were lost and made anew. */
export class NatsConsumer implements Subscription {
  readonly #options: NatsConsumerOptions;
  readonly #since: number;
  #progress: Progress | undefined;
  #attachment: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  #toldChanges = false;

  constructor(options: NatsConsumerOptions) {
    this.#options = options;
    this.#since = options.clock.monotonic();
  }

  /** Consumes on this connection from now on. */
  attach(session: NatsSession, stream: NatsStream): void {
    if (this.#stopped) return;
    this.#attachment?.abort();
    const attachment = this.#attachment = new AbortController();
    // The handler still has one message at a time when the connection changes under it.
    this.#running = this.#running.then(() => this.#consume(session, stream, attachment.signal));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#attachment?.abort();
    await this.#running;
  }

  async #consume(session: NatsSession, stream: NatsStream, signal: AbortSignal): Promise<void> {
    const { policy, log, onStreamMissing } = this.#options;
    let pauseMs = shortestPauseMs;
    while (!signal.aborted && !session.ended.aborted) {
      const startedAt = performance.now();
      try {
        const patienceMs = await this.#open(stream);
        const reason = await this.#pull(session, { stream, patienceMs, signal });
        if (signal.aborted || session.ended.aborted) return;
        log.warn(`Consumer "${policy.durable}" was interrupted: ${reason}; trying again`);
      } catch (error) {
        if (signal.aborted || session.ended.aborted) return;
        if (isStreamMissing(error)) return onStreamMissing(stream);
        log.warn(
          `Cannot consume "${policy.pattern}" as "${policy.durable}": ${messageOf(error)}; trying again`,
        );
      }
      const steady = performance.now() - startedAt > longestPauseMs;
      pauseMs = steady ? shortestPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {
        // Stopped, or attached to another connection.
      });
    }
  }

  /** Resolves to how long the server waits for a sign of life, in milliseconds. */
  async #open(stream: NatsStream): Promise<number> {
    const { policy, log } = this.#options;
    const position = policy.resumeAt?.();
    const { nextSeq, patienceMs, changed } = position === undefined
      ? await stream.openConsumer(policy, this.#startOn(stream))
      : await stream.placeConsumer(policy, position);
    if (position !== undefined) this.#tellMissed(position, { stream, nextSeq });
    if (this.#progress?.identity !== stream.identity) {
      this.#progress = { identity: stream.identity, nextSeq, open: new Set() };
    }
    if (changed.length === 0 || this.#toldChanges) return patienceMs;
    this.#toldChanges = true;
    log.warn(
      `Consumer "${policy.durable}" exists with other settings and is left as it is: ${
        changed.join(", ")
      }; ` +
        "to change it, stop the hosts that use it and remove it from the server",
    );
    return patienceMs;
  }

  /** Who was away for longer than the stream keeps its events is told. */
  #tellMissed(
    position: StreamPosition | "first",
    { stream, nextSeq }: { stream: NatsStream; nextSeq: number },
  ): void {
    const { policy, log } = this.#options;
    if (position === "first" || position.stream !== stream.identity || nextSeq <= position.seq + 1) return;
    log.warn(
      `The stream "${stream.name}" has dropped what "${policy.durable}" was to go on with; some of it may be missed`,
      { from_stream_seq: position.seq + 1, to_stream_seq: nextSeq - 1 },
    );
  }

  /** Only matters where the consumer has to be made. */
  #startOn(stream: NatsStream): ConsumerStart {
    const progress = this.#progress;
    if (!progress) return this.#options.policy.start === "first" ? "first" : { since: this.#since };
    // In a stream that was made anew everything is new to us.
    if (progress.identity !== stream.identity) return "first";
    return { seq: Math.min(progress.nextSeq, ...progress.open) };
  }

  async #pull(
    session: NatsSession,
    { stream, patienceMs, signal }: { stream: NatsStream; patienceMs: number; signal: AbortSignal },
  ): Promise<string> {
    if (signal.aborted) return "stopped";
    const { policy } = this.#options;
    const pull = new NatsPull({
      session,
      stream,
      durable: policy.durable,
      signOfLifeMs: patienceMs / 4,
      // Where a message has one attempt only, none may be used up by giving it back unhandled.
      maxBatch: policy.maxDeliveries === 1 ? 1 : Math.max(maxBatch, policy.concurrency),
      concurrency: policy.concurrency,
      onPulled: ({ position: { seq } }) => {
        if (!this.#progress) return;
        this.#progress.open.add(seq);
        this.#progress.nextSeq = Math.max(this.#progress.nextSeq, seq + 1);
      },
      handle: (delivery) => this.#handle(delivery),
    });
    const stop = () => void pull.stop();
    signal.addEventListener("abort", stop, { once: true });
    const reason = await pull.ended;
    await pull.stop();
    signal.removeEventListener("abort", stop);
    return reason;
  }

  async #handle(delivery: Pulled): Promise<Outcome> {
    const { policy, handle } = this.#options;
    // A consumer that was made for a wider pattern stays as it is; what we were not asked for is skipped.
    const outcome = policy.matches(delivery.subject)
      ? await deliver(delivery, handle, this.#options)
      : { kind: "handled" } as const;
    if (outcome.kind !== "again") this.#progress?.open.delete(delivery.position.seq);
    return outcome;
  }
}
