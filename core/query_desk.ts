import type { Bus, BusMessage, Subscription } from "./bus/bus.ts";
import { BusError } from "./bus/bus.ts";
import { newId } from "./clock.ts";
import { currentContext } from "./context.ts";
import { messageOf, Problem } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { AskOptions } from "./plugin.ts";
import type { Query } from "./queries.ts";
import { refuseSecrets } from "./refuse_secrets.ts";
import { inSpan } from "./trace.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const defaultTimeoutMs = 5000;
const longestTimeoutMs = 120_000;

interface Answerer {
  readonly query: Query<unknown, unknown>;
  readonly handle: (ask: unknown) => unknown;
}

interface DeskOptions {
  readonly nodeId: string;
  readonly bus: Bus;
  readonly log: Logger;
}

/** Answers and asks queries, in-process and on `rpc.<node_id>.<name>`. */
export class QueryDesk {
  readonly #answerers = new Map<string, Answerer>();
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Starts answering; `stop` resolves when the questions in hand are answered. Throws where the name is taken. */
  answer<Ask, Answer>(
    query: Query<Ask, Answer>,
    handle: (ask: Ask) => Answer | Promise<Answer>,
  ): Subscription {
    if (this.#answerers.has(query.name)) {
      throw new Error(`Cannot answer "${query.name}": another plugin answers it already`);
    }
    const answerer = { query, handle } as unknown as Answerer;
    this.#answerers.set(query.name, answerer);
    const subject = `rpc.${this.#options.nodeId}.${query.name}`;
    const remote = this.#options.bus.respond(subject, (message) => this.#respond(answerer, message));
    return {
      stop: async () => {
        this.#answerers.delete(query.name);
        await remote.stop();
      },
    };
  }

  /** Rejects with Problem 404 `no_responder`, 422 `invalid_question`, 503, 504 `deadline_exceeded`, or what the other side threw. */
  async ask<Ask, Answer>(query: Query<Ask, Answer>, ask: Ask, options: AskOptions = {}): Promise<Answer> {
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    const node = options.node ?? this.#options.nodeId;
    const call = currentContext() ?? { correlationId: newId() };
    return await inSpan(`ask ${query.name}`, { call, kind: "client" }, () => {
      if (node !== this.#options.nodeId) return this.#askRemote(query, ask, { node, timeoutMs });
      const answerer = this.#answerers.get(query.name);
      if (!answerer) throw noResponder(query.name, node);
      return within(timeoutMs, query.name, run(answerer, ask)) as Promise<Answer>;
    });
  }

  async #askRemote<Ask, Answer>(
    query: Query<Ask, Answer>,
    ask: Ask,
    { node, timeoutMs }: { node: string; timeoutMs: number },
  ): Promise<Answer> {
    const { correlationId, traceparent } = currentContext()!; // `ask` made one where there was none
    const headers: Record<string, string> = {
      "x-correlation-id": correlationId,
      "x-timeout-ms": String(timeoutMs),
    };
    if (traceparent) headers.traceparent = traceparent;
    let reply: BusMessage;
    try {
      const data = encoder.encode(JSON.stringify(parse(query, ask)));
      reply = await this.#options.bus.request(`rpc.${node}.${query.name}`, data, { timeoutMs, headers });
    } catch (error) {
      throw error instanceof BusError ? problemOf(error, { name: query.name, node, timeoutMs }) : error;
    }
    const body = JSON.parse(decoder.decode(reply.data));
    if (reply.headers["x-status"] === "error") {
      throw remoteProblem(body);
    }
    return checkedAnswer(query, body);
  }

  /** The asking side sees a Problem as it was thrown; anything else only as an internal error with its correlation id. */
  async #respond(answerer: Answerer, message: BusMessage) {
    const correlationId = message.headers["x-correlation-id"] ?? newId();
    const traceparent = message.headers.traceparent;
    try {
      const answer = await inSpan(
        `answer ${answerer.query.name}`,
        { call: { correlationId, traceparent }, kind: "server" },
        () => within(timeoutOf(message), answerer.query.name, run(answerer, jsonOf(message))),
      );
      return { data: encoder.encode(JSON.stringify(answer ?? null)) };
    } catch (error) {
      const problem = error instanceof Problem ? error : this.#internal(error, answerer.query.name);
      const { status, code, message: detail, extras } = problem;
      const data = encoder.encode(JSON.stringify({ ...extras, status, code, detail }));
      return { data, headers: { "x-status": "error", "x-correlation-id": correlationId } };
    }
  }

  #internal(error: unknown, name: string): Problem {
    this.#options.log.error("a query handler threw", { query: name, error });
    return new Problem(500, "internal_error", {
      detail: `The node could not answer "${name}"; its log says why`,
    });
  }
}

/** What the other side threw, as far as it has the shape of a problem: it is another program, perhaps another version. */
function remoteProblem(body: unknown): Problem {
  const { status, code, detail, ...extras } = { ...body as Record<string, unknown> };
  const isStatus = typeof status === "number" && Number.isInteger(status) && status >= 400 && status <= 599;
  return new Problem(isStatus ? status : 502, typeof code === "string" ? code : "remote_error", {
    detail: typeof detail === "string" ? detail : "The other node answered with an error of an unknown shape",
    extras,
  });
}

/** As long as the asker waits: a handler that never ends must not hold a place for ever. */
function timeoutOf({ headers }: BusMessage): number {
  const asked = Number(headers["x-timeout-ms"]);
  return asked > 0 ? Math.min(asked, longestTimeoutMs) : defaultTimeoutMs;
}

function jsonOf(message: BusMessage): unknown {
  try {
    return JSON.parse(decoder.decode(message.data));
  } catch (error) {
    throw new Problem(400, "malformed_question", { detail: "The question is not JSON", cause: error });
  }
}

async function run(answerer: Answerer, ask: unknown): Promise<unknown> {
  return checkedAnswer(answerer.query, await answerer.handle(parse(answerer.query, ask)));
}

function parse<Ask, Answer>(query: Query<Ask, Answer>, ask: unknown): Ask {
  const result = query.ask.safeParse(ask);
  if (result.success) {
    refuseSecrets(result.data, `Cannot ask "${query.name}"`);
    return result.data;
  }
  throw new Problem(422, "invalid_question", {
    detail: `Cannot ask "${query.name}": ${messageOf(result.error)}`,
    cause: result.error,
  });
}

function checkedAnswer<Ask, Answer>(query: Query<Ask, Answer>, answer: unknown): Answer {
  const result = query.answer.safeParse(answer);
  if (result.success) {
    refuseSecrets(result.data, `Cannot answer "${query.name}"`);
    return result.data;
  }
  throw new Error(`Cannot use the answer to "${query.name}": ${messageOf(result.error)}`, {
    cause: result.error,
  });
}

async function within<Result>(timeoutMs: number, name: string, work: Promise<Result>): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(deadlineExceeded(name, timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function deadlineExceeded(name: string, timeoutMs: number): Problem {
  return new Problem(504, "deadline_exceeded", { detail: `No answer to "${name}" within ${timeoutMs} ms` });
}

function noResponder(name: string, node: string): Problem {
  return new Problem(404, "no_responder", {
    detail: `Nobody answers "${name}" on node "${node}": is the node running, and the plugin on?`,
  });
}

function problemOf(error: BusError, ask: { name: string; node: string; timeoutMs: number }): Problem {
  if (error.code === "no_responders") return noResponder(ask.name, ask.node);
  if (error.code === "timeout") return deadlineExceeded(ask.name, ask.timeoutMs);
  if (error.code === "too_large") {
    return new Problem(413, "too_large", { detail: error.message, cause: error });
  }
  return new Problem(503, "bus_unavailable", {
    detail: `Cannot ask "${ask.name}" on node "${ask.node}": the bus is not connected; try again later`,
    cause: error,
  });
}
