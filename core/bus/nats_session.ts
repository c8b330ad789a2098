import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { BusError } from "./bus.ts";
import { deniedSubject, EncodedHeaders, type Msg, type NatsConnection } from "./nats_connection.ts";
import { NatsQuestions } from "./nats_questions.ts";
import type { EncodedOutgoing } from "./outgoing.ts";

/** Something a session receives messages for. */
export interface Reception {
  /** Takes no further message. */
  stop(): void;
  /** Resolves when everything that was under way has been received; takes no further message. */
  drain(): Promise<void>;
}

export interface AskOptions {
  readonly verb: "append" | "request";
  readonly timeoutMs: number;
}

/** Bytes that may be under way to a server that does not confirm them; beyond it nothing more is sent. */
const maxUnconfirmedBytes = 64 * 1024 * 1024;
const confirmEveryBytes = 256 * 1024;
const maxQuestions = 10_000;

/** One connection to NATS from the handshake to its end; whatever waits on it fails at once when it breaks. */
export class NatsSession {
  readonly connection: NatsConnection;
  readonly #log: Logger;
  readonly #ended = new AbortController();
  readonly #questions = new NatsQuestions();
  readonly #inbox = `_INBOX.${crypto.randomUUID().replaceAll("-", "")}`;
  #inboxes = 0;
  #unconfirmedBytes = 0;
  #sinceBarrierBytes = 0;
  #fault: unknown;

  constructor(connection: NatsConnection, log: Logger) {
    this.connection = connection;
    this.#log = log;
    this.receive(`${this.#inbox}.*`, {}, (message) => this.#answered(message));
    void this.#watch();
    void connection.closed().then((error) => this.#end(error));
  }

  /** Aborted when the connection has ended; its reason is a BusError `unavailable`. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Why it ended, where the server or the network said so. */
  get fault(): string {
    return this.#fault === undefined ? "the connection was closed" : messageOf(this.#fault);
  }

  /** Largest message the server takes, data and headers, in bytes. */
  get maxBytes(): number {
    return this.connection.info?.max_payload ?? 1024 * 1024;
  }

  /** A subject of this session's own, for answers of more than one message. */
  newInbox(): string {
    return `${this.#inbox}.stream.${this.#inboxes++}`;
  }

  /** Sends without waiting. Throws BusError unavailable when the connection ended or the server does not keep up. */
  send(
    subject: string,
    data: Uint8Array,
    options: { reply?: string; headerBlock?: Uint8Array; sizeBytes?: number } = {},
  ): void {
    if (this.ended.aborted) throw unavailable(subject, this.fault);
    const { reply, headerBlock, sizeBytes = data.length } = options;
    if (this.#unconfirmedBytes + sizeBytes > maxUnconfirmedBytes) {
      throw unavailable(subject, "the server does not keep up");
    }
    try {
      this.connection.publish(subject, data, {
        ...(reply === undefined ? {} : { reply }),
        ...(headerBlock?.length ? { headers: new EncodedHeaders(headerBlock) } : {}),
      });
    } catch (cause) {
      throw unavailable(subject, messageOf(cause), cause);
    }
    this.#account(sizeBytes);
  }

  /** Sends and waits for one answer. Rejects with BusError no_responders, timeout or unavailable. */
  ask({ subject, data, headerBlock, sizeBytes }: EncodedOutgoing, options: AskOptions): Promise<Msg> {
    if (this.ended.aborted) return Promise.reject(unavailable(subject, this.fault));
    if (this.#questions.count >= maxQuestions) {
      return Promise.reject(unavailable(subject, `${maxQuestions} answers are outstanding already`));
    }
    const { token, answer } = this.#questions.add(subject, options);
    try {
      this.send(subject, data, { reply: `${this.#inbox}.${token}`, headerBlock, sizeBytes });
    } catch (error) {
      this.#questions.take(token)?.reject(error as BusError);
    }
    return answer;
  }

  /** Hands over what arrives for `pattern`, as it arrives: `take` must neither wait nor throw. */
  receive(
    pattern: string,
    { queue }: { queue?: string | undefined },
    take: (message: Msg) => void,
  ): Reception {
    // On a connection that has just ended nothing will come; whoever wants it is told of the next one.
    if (this.connection.isClosed()) return { stop: () => {}, drain: () => Promise.resolve() };
    const subscription = this.connection.subscribe(pattern, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error) this.#log.warn(`Cannot subscribe to "${pattern}": ${error.message}`);
        else take(message);
      },
    });
    return {
      stop: () => subscription.unsubscribe(),
      drain: async () => {
        if (!subscription.isClosed()) await this.#unlessEnded(subscription.drain());
      },
    };
  }

  /** Resolves when the server has taken everything sent so far. Rejects with BusError. */
  async flush(timeoutMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const message = `Cannot reach "NATS": no answer within ${timeoutMs} ms`;
      timer = setTimeout(() => reject(new BusError("timeout", message)), timeoutMs);
    });
    try {
      await Promise.race([this.#unlessEnded(this.connection.flush()), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  #answered(message: Msg): void {
    const question = this.#questions.take(message.subject.slice(this.#inbox.length + 1));
    if (!question) return; // too late: its caller has given up
    const nobody = message.headers?.code === 503 && message.data.length === 0;
    if (!nobody) return question.resolve(message);
    const text = `Cannot request "${question.subject}": nobody answers there`;
    question.reject(new BusError("no_responders", text));
  }

  /** Asks the server now and then to confirm, so that what piles up on a stalled connection stays bounded. */
  #account(sizeBytes: number): void {
    this.#unconfirmedBytes += sizeBytes;
    this.#sinceBarrierBytes += sizeBytes;
    if (this.#sinceBarrierBytes < confirmEveryBytes) return;
    const confirmed = this.#sinceBarrierBytes;
    this.#sinceBarrierBytes = 0;
    this.connection.flush().then(() => this.#unconfirmedBytes -= confirmed, () => {
      // The connection has ended, and this count with it.
    });
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === "staleConnection") {
        this.#fault ??= new Error("the server stopped answering");
      } else if (status.type === "error") {
        this.#failed(status.error);
      }
    }
  }

  #failed(error: Error): void {
    const subject = deniedSubject(error);
    if (subject === undefined) {
      this.#fault = error;
      return;
    }
    this.#log.warn(`NATS denies "${subject}": ${error.message}; give this user the permission`);
    this.#questions.rejectAll(() => unavailable(subject, error.message, error), subject);
  }

  #end(error: void | Error): void {
    this.#fault ??= error ?? undefined;
    this.#ended.abort(unavailable("NATS", this.fault));
    this.#questions.rejectAll((subject) => unavailable(subject, this.fault));
    this.#questions.close();
  }

  #unlessEnded<Result>(work: Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const onEnded = () => reject(this.ended.reason);
    if (this.ended.aborted) onEnded();
    this.ended.addEventListener("abort", onEnded, { once: true });
    work.then(resolve, reject);
    return promise.finally(() => this.ended.removeEventListener("abort", onEnded));
  }
}

/** The error of whatever needs a connection that is not there. */
export function unavailable(subject: string, state: string, cause?: unknown): BusError {
  return new BusError("unavailable", `Cannot reach "${subject}": ${state}`, { cause });
}
