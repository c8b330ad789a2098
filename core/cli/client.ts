import process from "node:process";
import { CliError, exitCode } from "./cli_error.ts";
import { escapeControls } from "./escape_controls.ts";

/** The agent that a command speaks to. */
export interface Target {
  readonly url: URL;
  readonly key: string | undefined;
  /** What to do when the agent refuses us. */
  readonly keyHint: string;
  /** On this host, by its address. */
  readonly loopback: boolean;
}

/** A JSON object as it came over the wire; nothing about it is taken for granted. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Query parameters; what is undefined is left out. */
export type QueryParameters = Readonly<Record<string, string | number | undefined>>;

interface RequestOptions {
  readonly query?: QueryParameters;
  readonly body?: unknown;
  /** A body of JSON values, one on each line, instead of `body`. */
  readonly lines?: Uint8Array<ArrayBuffer>;
  /** Statuses that are an answer although they are no success. */
  readonly accept?: readonly number[];
}

/** Default time for a whole answer. */
const requestTimeoutMs = 30_000;
/** Largest page the API hands out. */
const pageSize = 1000;

/** Speaks HTTP with one agent. Every failure is a `CliError` with the exit status that belongs to it. */
export class Client {
  readonly #target: Target;
  readonly #interrupted: AbortSignal;

  constructor(target: Target, interrupted: AbortSignal) {
    this.#target = target;
    this.#interrupted = interrupted;
    if (target.loopback) keepProxiesOff();
  }

  /** Address of the agent, without a slash at its end. */
  get url(): string {
    return this.#target.url.href.replace(/\/+$/, "");
  }

  /** The JSON object that the path answers with; an empty one for 204. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<JsonObject> {
    const signal = AbortSignal.any([this.#interrupted, AbortSignal.timeout(requestTimeoutMs)]);
    const response = await this.#send(method, path, { ...options, signal });
    if (response.status === 204) return {};
    try {
      const answer: unknown = await response.json();
      if (isObject(answer)) return answer;
    } catch (error) {
      if (this.#interrupted.aborted || !(error instanceof SyntaxError)) throw this.#unreachable(error);
    }
    throw this.#foreign(response);
  }

  /** The items of a list, page after page, `limit` at the most. */
  async *pages(
    path: string,
    query: QueryParameters,
    options: { limit: number },
  ): AsyncGenerator<readonly JsonObject[]> {
    let left = options.limit;
    let cursor: string | undefined;
    while (left > 0) {
      const page = await this.request("GET", path, {
        query: { ...query, limit: Math.min(left, pageSize), cursor },
      });
      const items = Array.isArray(page.items) ? page.items.filter(isObject) : [];
      yield items;
      left -= items.length;
      // A page may be empty although more come: the agent looks for rare ones only for so long.
      if (typeof page.next !== "string" || page.next === cursor) return;
      cursor = page.next;
    }
  }

  /** An endless answer of server-sent events; the time limit is for its beginning. */
  async stream(path: string, query: QueryParameters): Promise<ReadableStream<Uint8Array>> {
    const opening = new AbortController();
    const timer = setTimeout(
      () => opening.abort(new DOMException("no answer", "TimeoutError")),
      requestTimeoutMs,
    );
    try {
      const signal = AbortSignal.any([this.#interrupted, opening.signal]);
      const response = await this.#send("GET", path, { query, signal, type: "text/event-stream" });
      if (response.body && response.headers.get("content-type")?.startsWith("text/event-stream")) {
        // Once the answer has begun, nothing but the runtime's own request holds `signal`, and that may be collected.
        return response.body.pipeThrough(new TransformStream(), { signal: this.#interrupted });
      }
      await response.body?.cancel();
      throw this.#foreign(response);
    } finally {
      clearTimeout(timer);
    }
  }

  async #send(
    method: string,
    path: string,
    options: RequestOptions & { signal: AbortSignal; type?: string },
  ): Promise<Response> {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers = new Headers({ accept: options.type ?? "application/json" });
    if (this.#target.key) headers.set("authorization", `Bearer ${this.#target.key}`);
    const { body, lines } = options;
    if (body !== undefined) headers.set("content-type", "application/json");
    else if (lines) headers.set("content-type", "application/x-ndjson");
    const sent = body === undefined ? lines : JSON.stringify(body);
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers,
        signal: options.signal,
        redirect: "manual", // a redirect must not carry the key elsewhere
        ...(sent === undefined ? {} : { body: sent }),
      });
    } catch (error) {
      throw this.#unreachable(error);
    }
    if (response.ok || options.accept?.includes(response.status)) return response;
    throw await this.#refused(response);
  }

  #unreachable(error: unknown): unknown {
    if (this.#interrupted.aborted) return this.#interrupted.reason;
    const timedOut = error instanceof DOMException && error.name === "TimeoutError";
    return new CliError(
      timedOut
        ? `Cannot reach the agent at ${this.url}: no answer within ${requestTimeoutMs / 1000} s`
        : `Cannot reach the agent at ${this.url}: ${networkFault(error)}`,
      {
        exitCode: exitCode.unreachable,
        hint: "Is it running? `commandcenter start` starts it; --url names another address.",
        cause: error,
      },
    );
  }

  async #refused(response: Response): Promise<CliError> {
    const problem: unknown = await response.json().catch(() => undefined);
    const { detail, title, correlation_id: correlationId } = isObject(problem) ? problem : {};
    const text = [detail, title].find((candidate) => typeof candidate === "string");
    if (text === undefined && response.status < 500) return this.#foreign(response);
    const forbidden = response.status === 401 || response.status === 403;
    return new CliError(escapeControls(String(text ?? `The agent answered with status ${response.status}`)), {
      exitCode: forbidden ? exitCode.forbidden : exitCode.failed,
      hint: forbidden ? this.#target.keyHint : undefined,
      status: response.status,
      problem: isObject(problem) ? problem : undefined,
      correlationId: typeof correlationId === "string" ? escapeControls(correlationId) : undefined,
    });
  }

  #foreign(response: Response): CliError {
    const type = response.headers.get("content-type") ?? "no content type";
    return new CliError(
      `Cannot read the answer of ${this.url}: status ${response.status}, ${escapeControls(type)}`,
      {
        exitCode: exitCode.failed,
        hint: "Is that the address of a CommandCenter agent?",
        status: response.status,
      },
    );
  }
}

/** Whether the value is a JSON object, no list and not null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// The runtime takes proxies from the environment, and would ask them even for an address of this host.
function keepProxiesOff(): void {
  const exceptions = [process.env.NO_PROXY ?? process.env.no_proxy, "localhost", "127.0.0.0/8", "::1"];
  process.env.NO_PROXY = exceptions.filter(Boolean).join(",");
}

// "fetch failed" says nothing; the reason stands at the end of the innermost message.
function networkFault(error: unknown): string {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  const message = innermost instanceof Error ? innermost.message : String(innermost);
  return message.replace(/^error sending request for url \(.*?\): /, "").replace(
    /^client error \(Connect\): /,
    "",
  );
}
