import { setImmediate } from "node:timers";
import { messageOf } from "../errors.ts";
import {
  type Appended,
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
import { type HandlerErrorListener, type Letter, Mailbox } from "./mailbox.ts";
import { MemoryDurable } from "./memory_durable.ts";
import { MemoryStream } from "./memory_stream.ts";
import { outgoing, type OutgoingOptions } from "./outgoing.ts";
import { settleWithin } from "./settle_within.ts";
import { StatusBoard } from "./status_board.ts";
import { compilePattern } from "./subject.ts";

type Headers = Readonly<Record<string, string>>;
type Answer = Awaited<ReturnType<Parameters<Bus["respond"]>[1]>>;

/** A message on its way; `reply` is there when somebody waits for an answer. */
interface Posted extends BusMessage, Letter {
  readonly reply?: ((answer: BusMessage) => void) | undefined;
}

interface Listener {
  readonly matches: (subject: string) => boolean;
  readonly queue: string | undefined;
  readonly mailbox: Mailbox<Posted>;
}

export interface MemoryBusOptions extends BusOptions {
  readonly duplicateWindowMs: number;
  /** Events and bytes that the stream keeps at the most; default 10,000 and 64 MiB. */
  readonly maxEvents?: number;
  readonly maxBytes?: number;
  /** How long `close` waits for handlers; default 3 s. */
  readonly closeTimeoutMs?: number;
}

/** Largest message, data and headers, as a NATS server has it by default. */
const maxMessageBytes = 1024 * 1024;

/** The bus inside one process: the same rules as NATS, nothing survives the process. */
export class MemoryBus implements Bus {
  readonly kind = "memory";
  readonly #options: MemoryBusOptions;
  readonly #onHandlerError: HandlerErrorListener;
  readonly #listeners = new Set<Listener>();
  readonly #stream: MemoryStream;
  readonly #durables = new Map<string, MemoryDurable>();
  readonly #consumers = new Set<Subscription>();
  readonly #asking = new Set<(error: BusError) => void>();
  readonly #board: StatusBoard;
  #turn: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MemoryBusOptions) {
    this.#options = options;
    this.#onHandlerError = options.onHandlerError ?? ((error, subject) => {
      options.log.error(`Cannot handle "${subject}": ${messageOf(error)}`, { error });
    });
    this.#stream = new MemoryStream(options);
    this.#board = new StatusBoard(
      { kind: "memory", connected: true, url: "memory:", reconnects: 0 },
      options.log,
    );
  }

  publish(subject: string, data: Uint8Array, options: { headers?: Headers } = {}): void {
    this.#deliver(this.#checked(subject, { verb: "publish", data, ...options }));
  }

  async append(
    subject: string,
    data: Uint8Array,
    { id, headers }: { id: string; headers?: Headers },
  ): Promise<Appended> {
    const event = this.#checked(subject, { verb: "append", data, headers, messageId: id });
    const { duplicate } = this.#stream.append(id, event);
    if (duplicate) return { duplicate };
    this.#deliver(event);
    for (const durable of this.#durables.values()) durable.wake();
    await this.#nextTurn();
    return { duplicate };
  }

  subscribe(
    pattern: string,
    handle: (message: BusMessage) => unknown,
    { queue, maxPending, onDropped }: SubscribeOptions = {},
  ): Subscription {
    const mailbox = new Mailbox<Posted>(
      ({ subject, data, headers }) => handle({ subject, data, headers }),
      { maxPending, onDropped, onHandlerError: this.#onHandlerError },
    );
    return this.#listen(pattern, queue, mailbox);
  }

  consume(options: ConsumeOptions, handle: (delivery: Delivery) => unknown): Subscription {
    this.#demandOpen("consume", options.pattern);
    const policy = deliveryPolicy(options);
    const { log, clock } = this.#options;
    const context = {
      stream: this.#stream,
      policy,
      log,
      clock,
      onHandlerError: this.#onHandlerError,
    };
    const durable = this.#durables.get(policy.durable) ?? new MemoryDurable(context);
    this.#durables.set(policy.durable, durable);
    if (durable.pattern !== policy.pattern) {
      log.warn(
        `Consumer "${policy.durable}" exists for "${durable.pattern}" and stays so; asked for "${policy.pattern}"`,
      );
    }
    const attached = durable.attach(handle, policy);
    const subscription: Subscription = {
      stop: () => {
        this.#consumers.delete(subscription);
        return attached.stop();
      },
    };
    this.#consumers.add(subscription);
    return subscription;
  }

  async request(
    subject: string,
    data: Uint8Array,
    { timeoutMs, headers }: { timeoutMs: number; headers?: Headers },
  ): Promise<BusMessage> {
    const message = this.#checked(subject, { verb: "request", data, headers });
    let giveUp: ((error: BusError) => void) | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<BusMessage>((resolve, reject) => {
        giveUp = reject;
        this.#asking.add(reject);
        timer = setTimeout(() => {
          reject(new BusError("timeout", `Cannot request "${subject}": no answer within ${timeoutMs} ms`));
        }, timeoutMs);
        if (this.#deliver({ ...message, reply: (answer) => resolve({ ...answer, subject }) }) > 0) return;
        reject(new BusError("no_responders", `Cannot request "${subject}": nobody answers there`));
      });
    } finally {
      clearTimeout(timer);
      if (giveUp) this.#asking.delete(giveUp);
    }
  }

  respond(
    pattern: string,
    answer: (message: BusMessage) => Promise<Answer>,
    { queue, concurrency = 64 }: { queue?: string; concurrency?: number } = {},
  ): Subscription {
    const handle = async ({ reply, ...message }: Posted) => {
      if (!reply) return;
      reply(
        outgoing(message.subject, { verb: "answer", maxBytes: maxMessageBytes, ...await answer(message) }),
      );
    };
    const mailbox = new Mailbox(handle, { concurrency, onHandlerError: this.#onHandlerError });
    return this.#listen(pattern, queue, mailbox);
  }

  wants(subject: string): boolean {
    for (const durable of this.#durables.values()) if (durable.wants(subject)) return true;
    for (const listener of this.#listeners) if (listener.matches(subject)) return true;
    return false;
  }

  streamIdentity(): Promise<string> {
    // The stream lives and dies with the process, together with all who consume it: it cannot be lost to them.
    return Promise.resolve("memory");
  }

  lastAppended(_pattern: string): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  status(): BusStatus {
    return this.#board.status;
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    return this.#board.listen(listener);
  }

  probe(_timeoutMs: number): Promise<number> {
    return this.#board.status.connected
      ? Promise.resolve(0)
      : Promise.reject(closedError("probe", "memory:"));
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const consumers = [...this.#consumers].map((consumer) => consumer.stop());
    const listeners = [...this.#listeners].map(({ mailbox }) => mailbox.drain());
    await settleWithin(Promise.all([...consumers, ...listeners]), this.#options.closeTimeoutMs ?? 3000);
    for (const { mailbox } of this.#listeners) void mailbox.stop();
    for (const durable of this.#durables.values()) durable.close();
    this.#listeners.clear();
    for (const giveUp of this.#asking) giveUp(closedError("request", "an answer"));
    this.#board.set({ connected: false });
  }

  /** Who waits for its appends is no faster than those who listen: they have had their turn by then. */
  #nextTurn(): Promise<void> {
    return this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#turn = undefined;
        resolve();
      });
    });
  }

  #listen(pattern: string, queue: string | undefined, mailbox: Mailbox<Posted>): Subscription {
    this.#demandOpen("subscribe to", pattern);
    const listener: Listener = { matches: compilePattern(pattern), queue, mailbox };
    this.#listeners.add(listener);
    return {
      stop: () => {
        this.#listeners.delete(listener);
        return mailbox.stop();
      },
    };
  }

  /** Hands the message to every listener, and to one of each queue; returns how many there were. */
  #deliver(message: Posted): number {
    const queues = new Map<string, Listener[]>();
    let receivers = 0;
    for (const listener of this.#listeners) {
      if (!listener.matches(message.subject)) continue;
      if (listener.queue === undefined) {
        listener.mailbox.push(message);
        receivers++;
        continue;
      }
      const group = queues.get(listener.queue);
      if (group) group.push(listener);
      else queues.set(listener.queue, [listener]);
    }
    for (const group of queues.values()) {
      group[Math.floor(Math.random() * group.length)]?.mailbox.push(message);
    }
    return receivers + queues.size;
  }

  /** Checked and copied: the caller may reuse its buffer. */
  #checked(subject: string, options: Omit<OutgoingOptions, "maxBytes">) {
    if (!this.#board.status.connected) throw closedError(options.verb, subject);
    const message = outgoing(subject, { ...options, maxBytes: maxMessageBytes });
    return { ...message, data: message.data.slice() };
  }

  #demandOpen(verb: string, pattern: string): void {
    if (this.#closing) throw closedError(verb, pattern);
  }
}

function closedError(verb: string, what: string): BusError {
  return new BusError("closed", `Cannot ${verb} "${what}": the bus is closed`);
}
