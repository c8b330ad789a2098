import { messageOf } from "../errors.ts";
import {
  type Bus,
  BusError,
  type BusMessage,
  type BusOptions,
  type BusStatus,
  type ConsumeOptions,
  type Delivery,
  type SubscribeOptions,
  type Subscription,
} from "./bus.ts";
import { deliveryPolicy } from "./delivery.ts";
import { type HandlerErrorListener, Mailbox } from "./mailbox.ts";
import { readAcknowledgement } from "./nats_acknowledgement.ts";
import { toBusMessage } from "./nats_connection.ts";
import { NatsConsumer } from "./nats_consumer.ts";
import { NatsLink } from "./nats_link.ts";
import { NatsListener, type Received } from "./nats_listener.ts";
import { type NatsSession, unavailable } from "./nats_session.ts";
import type { NatsStream } from "./nats_stream.ts";
import { NatsStreamKeeper } from "./nats_stream_keeper.ts";
import { outgoing } from "./outgoing.ts";
import { busAddresses, type BusSettings } from "./settings.ts";
import { settleWithin } from "./settle_within.ts";
import { StatusBoard } from "./status_board.ts";
import { compilePattern } from "./subject.ts";

type Headers = Readonly<Record<string, string>>;
type Answer = Awaited<ReturnType<Parameters<Bus["respond"]>[1]>>;

/** How long the server may take to store an event. */
const appendTimeoutMs = 5000;
const closeTimeoutMs = 3000;
/** How long opening waits for the first look at the stream. */
const firstLookMs = 6000;

/** The bus over NATS, events in JetStream; outages of any length end by themselves. */
export class NatsBus implements Bus {
  readonly kind = "nats";
  readonly #options: BusOptions;
  readonly #onHandlerError: HandlerErrorListener;
  readonly #board: StatusBoard;
  readonly #link: NatsLink;
  readonly #keeper: NatsStreamKeeper;
  readonly #listeners = new Set<NatsListener>();
  readonly #consumers = new Set<NatsConsumer>();
  #firstLook: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  private constructor(settings: BusSettings, options: BusOptions) {
    const { log, clock, clientName } = options;
    this.#options = options;
    this.#onHandlerError = options.onHandlerError ?? ((error, subject) => {
      log.error(`Cannot handle "${subject}": ${messageOf(error)}`, { error });
    });
    const url = busAddresses(settings.url).join(",");
    this.#board = new StatusBoard({ kind: "nats", connected: false, url, reconnects: 0 }, log);
    const onChange = () => this.#show();
    this.#link = new NatsLink({ settings, clientName, log, onChange, onSession: (s) => this.#begin(s) });
    this.#keeper = new NatsStreamKeeper({
      settings: settings.stream,
      log,
      clock,
      onChange,
      onReady: (session, stream) => {
        for (const consumer of this.#consumers) consumer.attach(session, stream);
      },
    });
  }

  /**
   * Resolves connected, or, when no server answers within a few seconds, not yet.
   * Rejects with ConfigurationError when the server is too old.
   */
  static async open(settings: BusSettings, options: BusOptions): Promise<NatsBus> {
    const bus = new NatsBus(settings, options);
    await bus.#link.open();
    if (bus.#firstLook) await settleWithin(bus.#firstLook, firstLookMs);
    return bus;
  }

  publish(subject: string, data: Uint8Array, { headers }: { headers?: Headers } = {}): void {
    this.#demandOpen("publish", subject);
    const session = this.#link.session;
    const maxBytes = session?.maxBytes ?? Infinity;
    const message = outgoing(subject, { verb: "publish", data, headers, maxBytes });
    try {
      session?.send(subject, data, message);
    } catch (error) {
      // Without a promise of delivery: a connection that just broke is as good as none.
      this.#options.log.debug(messageOf(error));
    }
  }

  async append(
    subject: string,
    data: Uint8Array,
    { id, headers }: { id: string; headers?: Headers },
  ): Promise<{ duplicate: boolean }> {
    this.#demandOpen("append", subject);
    const { session, stream } = this.#demandStream(subject);
    const { maxBytes } = session;
    const event = outgoing(subject, { verb: "append", data, headers, messageId: id, maxBytes });
    try {
      const answer = await session.ask(event, { verb: "append", timeoutMs: appendTimeoutMs });
      return readAcknowledgement(subject, { answer: answer.data, stream: stream.name });
    } catch (error) {
      if (!(error instanceof BusError) || error.code !== "no_responders") throw error;
      this.#keeper.missing(stream);
      throw unavailable(subject, `the stream "${stream.name}" is gone from the server`, error);
    }
  }

  subscribe(
    pattern: string,
    handle: (message: BusMessage) => unknown,
    { queue, maxPending, onDropped }: SubscribeOptions = {},
  ): Subscription {
    const mailbox = new Mailbox<Received>(
      ({ subject, data, headers }) => handle({ subject, data, headers }),
      { maxPending, onDropped, onHandlerError: this.#onHandlerError },
    );
    return this.#listen(pattern, { queue, mailbox, drains: false });
  }

  consume(options: ConsumeOptions, handle: (delivery: Delivery) => unknown): Subscription {
    this.#demandOpen("consume", options.pattern, this.#closing !== undefined);
    const consumer = new NatsConsumer({
      policy: deliveryPolicy(options),
      handle,
      log: this.#options.log,
      clock: this.#options.clock,
      onHandlerError: this.#onHandlerError,
      onStreamMissing: (stream) => this.#keeper.missing(stream),
    });
    this.#consumers.add(consumer);
    const { session } = this.#link;
    const { stream } = this.#keeper;
    if (session && stream) consumer.attach(session, stream);
    return {
      stop: () => {
        this.#consumers.delete(consumer);
        return consumer.stop();
      },
    };
  }

  async request(
    subject: string,
    data: Uint8Array,
    { timeoutMs, headers }: { timeoutMs: number; headers?: Headers },
  ): Promise<BusMessage> {
    this.#demandOpen("request", subject);
    const session = this.#demandSession(subject);
    const { maxBytes } = session;
    const question = outgoing(subject, { verb: "request", data, headers, maxBytes });
    return toBusMessage(await session.ask(question, { verb: "request", timeoutMs }), subject);
  }

  respond(
    pattern: string,
    answer: (message: BusMessage) => Promise<Answer>,
    { queue, concurrency = 64 }: { queue?: string; concurrency?: number } = {},
  ): Subscription {
    const handle = async ({ reply, ...message }: Received) => {
      if (!reply) return;
      const maxBytes = this.#link.session?.maxBytes ?? Infinity;
      const given = outgoing(message.subject, { verb: "answer", maxBytes, ...await answer(message) });
      reply(given);
    };
    // Whoever asked before the server knew that we stop still gets an answer.
    const mailbox = new Mailbox(handle, { concurrency, onHandlerError: this.#onHandlerError });
    return this.#listen(pattern, { queue, mailbox, drains: true });
  }

  wants(_subject: string): boolean {
    return true;
  }

  streamIdentity(): Promise<string> {
    return this.#askStream((stream) => stream.currentIdentity());
  }

  lastAppended(pattern: string): Promise<Headers | undefined> {
    return this.#askStream((stream) => stream.lastHeaders(pattern));
  }

  async #askStream<Answer>(ask: (stream: NatsStream) => Promise<Answer>): Promise<Answer> {
    this.#demandOpen("ask", "the stream");
    const { stream } = this.#demandStream("the stream");
    try {
      return await ask(stream);
    } catch (error) {
      throw unavailable("the stream", messageOf(error), error);
    }
  }

  status(): BusStatus {
    return this.#board.status;
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    return this.#board.listen(listener);
  }

  async probe(timeoutMs: number): Promise<number> {
    this.#demandOpen("probe", this.#board.status.url);
    const startedAt = performance.now();
    await this.#demandSession(this.#board.status.url).flush(timeoutMs);
    return performance.now() - startedAt;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const consumers = [...this.#consumers].map((consumer) => consumer.stop());
    const listeners = [...this.#listeners].map((listener) => listener.drain());
    await settleWithin(Promise.allSettled([...consumers, ...listeners]), closeTimeoutMs);
    for (const listener of this.#listeners) void listener.stop();
    const { session } = this.#link;
    if (session) await settleWithin(session.flush(1000), 1000);
    this.#closed = true;
    await this.#link.close();
    this.#board.set({ connected: false });
  }

  #begin(session: NatsSession): void {
    for (const listener of this.#listeners) listener.attach(session);
    this.#firstLook = this.#keeper.keep(session);
  }

  /** Connected means usable: the stream has been looked for, and what is wrong with it is told as the problem. */
  #show(): void {
    if (this.#closed) return;
    const connected = this.#link.session !== undefined && this.#keeper.looked;
    const problem = this.#link.problem ?? (connected ? this.#keeper.problem : undefined);
    const { reconnects } = this.#link;
    this.#board.set({ connected, reconnects, ...(problem === undefined ? {} : { problem }) });
  }

  /** `drains`: what arrives until the server knows that we stop is still handled. */
  #listen(
    pattern: string,
    { queue, mailbox, drains }: { queue: string | undefined; mailbox: Mailbox<Received>; drains: boolean },
  ): Subscription {
    this.#demandOpen("subscribe to", pattern, this.#closing !== undefined);
    compilePattern(pattern);
    const listener = new NatsListener({ pattern, queue, mailbox });
    this.#listeners.add(listener);
    if (this.#link.session) listener.attach(this.#link.session);
    return {
      stop: () => {
        this.#listeners.delete(listener);
        return drains ? listener.drain() : listener.stop();
      },
    };
  }

  #demandOpen(verb: string, what: string, closed = this.#closed): void {
    if (closed) throw new BusError("closed", `Cannot ${verb} "${what}": the bus is closed`);
  }

  #demandSession(subject: string): NatsSession {
    const { session, problem } = this.#link;
    if (session) return session;
    throw unavailable(subject, problem ?? "not connected to NATS yet");
  }

  #demandStream(subject: string): { session: NatsSession; stream: NatsStream } {
    const session = this.#demandSession(subject);
    const { stream, problem } = this.#keeper;
    if (stream) return { session, stream };
    throw unavailable(subject, problem ?? "the stream is not there yet");
  }
}
