import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { BusError } from "./bus.ts";
import { deniedSubject, type Msg, type NatsConnection, toNatsHeaders } from "./nats_connection.ts";
import type { Outgoing } from "./outgoing.ts";

type Headers = Readonly<Record<string, string>>;

/** Something a session receives messages for. */
export interface Reception {
  /** Takes no further message. */
  stop(): void;
  /** Resolves when everything that was under way has been received; takes no further message. */
  drain(): Promise<void>;
}

interface Question {
  readonly subject: string;
  resolve(answer: Msg): void;
  reject(error: BusError): void;
}

export interface AskOptions {
  readonly verb: "append" | "request";
  readonly timeoutMs: number;
  /** Lets the stream recognise the same event again. */
  readonly messageId?: string;
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
  readonly #questions = new Map<string, Question>();
  readonly #inbox = `_INBOX.${crypto.randomUUID().replaceAll("-", "")}`;
  #nextToken = 0;
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
    return `${this.#inbox}.stream.${this.#nextToken++}`;
  }

  /** Sends without waiting. Throws BusError unavailable when the connection ended or the server does not keep up. */
  send(
    subject: string,
    data: Uint8Array,
    options: { reply?: string; headers?: Headers; messageId?: string; sizeBytes?: number } = {},
  ): void {
    if (this.ended.aborted) throw unavailable(subject, this.fault);
    const { reply, headers = {}, messageId, sizeBytes = data.length } = options;
    if (this.#unconfirmedBytes + sizeBytes > maxUnconfirmedBytes) {
      throw unavailable(subject, "the server does not keep up");
    }
    const wireHeaders = messageId !== undefined || Object.keys(headers).length > 0
      ? toNatsHeaders(headers, messageId)
      : undefined;
    try {
      this.connection.publish(subject, data, {
        ...(reply === undefined ? {} : { reply }),
        ...(wireHeaders ? { headers: wireHeaders } : {}),
      });
    } catch (cause) {
      throw unavailable(subject, messageOf(cause), cause);
    }
    this.#account(sizeBytes);
  }

  /** Sends and waits for one answer. Rejects with BusError no_responders, timeout or unavailable. */
  ask(message: Outgoing, { verb, timeoutMs, messageId }: AskOptions): Promise<Msg> {
    const { subject, data, headers, sizeBytes } = message;
    if (this.#questions.size >= maxQuestions) {
      return Promise.reject(unavailable(subject, `${maxQuestions} answers are outstanding already`));
    }
    const token = (this.#nextToken++).toString(36);
    const { promise, resolve, reject } = Promise.withResolvers<Msg>();
    const timer = setTimeout(() => {
      reject(new BusError("timeout", `Cannot ${verb} "${subject}": no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#questions.set(token, { subject, resolve, reject });
    try {
      const reply = `${this.#inbox}.${token}`;
      this.send(subject, data, {
        reply,
        headers,
        sizeBytes,
        ...(messageId === undefined ? {} : { messageId }),
      });
    } catch (error) {
      reject(error);
    }
    return promise.finally(() => {
      clearTimeout(timer);
      this.#questions.delete(token);
    });
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
    const question = this.#questions.get(message.subject.slice(this.#inbox.length + 1));
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
    for (const question of this.#questions.values()) {
      if (question.subject === subject) question.reject(unavailable(subject, error.message, error));
    }
  }

  #end(error: void | Error): void {
    this.#fault ??= error ?? undefined;
    this.#ended.abort(unavailable("NATS", this.fault));
    for (const question of this.#questions.values()) {
      question.reject(unavailable(question.subject, this.fault));
    }
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
