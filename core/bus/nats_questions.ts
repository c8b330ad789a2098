import { BusError } from "./bus.ts";
import type { Msg } from "./nats_connection.ts";

interface Question {
  readonly subject: string;
  readonly verb: string;
  readonly line: Line;
  /** By the monotonic clock. */
  readonly dueAt: number;
  readonly resolve: (answer: Msg) => void;
  readonly reject: (error: BusError) => void;
}

/** Questions with the same patience, the oldest first: one timer serves them all. */
interface Line {
  readonly timeoutMs: number;
  readonly open: Map<string, Question>;
  timer?: ReturnType<typeof setTimeout> | undefined;
}

/** What was asked over one connection and is not answered yet. */
export class NatsQuestions {
  readonly #open = new Map<string, Question>();
  readonly #lines = new Map<number, Line>();
  #nextToken = 0;

  get count(): number {
    return this.#open.size;
  }

  /** Adds a question; the answer has to name its token. Rejects with BusError timeout when none came in time. */
  add(
    subject: string,
    { verb, timeoutMs }: { verb: string; timeoutMs: number },
  ): { token: string; answer: Promise<Msg> } {
    const token = (this.#nextToken++).toString(36);
    const line: Line = this.#lines.get(timeoutMs) ?? { timeoutMs, open: new Map() };
    this.#lines.set(timeoutMs, line);
    const { promise, resolve, reject } = Promise.withResolvers<Msg>();
    const question = { subject, verb, line, dueAt: performance.now() + timeoutMs, resolve, reject };
    line.open.set(token, question);
    this.#open.set(token, question);
    line.timer ??= setTimeout(() => this.#expire(line), timeoutMs);
    return { token, answer: promise };
  }

  /** Takes the question out; undefined where its asker has given up. */
  take(token: string): Question | undefined {
    const question = this.#open.get(token);
    if (!question) return undefined;
    this.#open.delete(token);
    question.line.open.delete(token);
    return question;
  }

  /** Rejects all open questions, or those on one subject. */
  rejectAll(errorFor: (subject: string) => BusError, subject?: string): void {
    for (const [token, question] of this.#open) {
      if (subject === undefined || question.subject === subject) {
        this.take(token);
        question.reject(errorFor(question.subject));
      }
    }
  }

  /** Stops every timer; nothing may be asked any more. */
  close(): void {
    for (const { timer } of this.#lines.values()) clearTimeout(timer);
    this.#lines.clear();
  }

  #expire(line: Line): void {
    const now = performance.now();
    line.timer = undefined;
    for (const [token, { dueAt, subject, verb, reject }] of line.open) {
      if (dueAt > now) {
        line.timer = setTimeout(() => this.#expire(line), dueAt - now);
        return;
      }
      this.take(token);
      reject(new BusError("timeout", `Cannot ${verb} "${subject}": no answer within ${line.timeoutMs} ms`));
    }
    this.#lines.delete(line.timeoutMs);
  }
}
