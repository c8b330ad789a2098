import { type Agent, type IncomingMessage, request as httpRequest } from "node:http";
import { FetchError } from "./fetch_error.ts";
import type { Route } from "./connection_pool.ts";

/** One request as it goes over the wire. */
export interface WireRequest {
  readonly origin: string;
  readonly method: string;
  /** Path and query; the whole URL for a proxy. */
  readonly target: string;
  /** Lower-case names, `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** Over what, and within which limits. */
export interface ExchangeOptions {
  /** Keeps connections; undefined for what must not be sent twice. */
  readonly keeping: Agent | undefined;
  /** Always connects anew. */
  readonly single: Agent;
  readonly route: Route;
  readonly signal: AbortSignal;
  /** Milliseconds until the header of the answer is complete, once there is a connection. */
  readonly answerTimeoutMs: number;
  readonly maxHeaderBytes: number;
}

/** Sends a request and resolves to the header of its answer; rejects with FetchError or the signal's reason. */
export async function exchange(wire: WireRequest, options: ExchangeOptions): Promise<IncomingMessage> {
  if (!options.keeping) return await attempt(wire, { ...options, agent: options.single });
  try {
    return await attempt(wire, { ...options, agent: options.keeping });
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error;
    return await attempt(wire, { ...options, agent: options.single });
  }
}

/** A kept connection that the other side had closed meanwhile; only some runtimes replace it by themselves. */
class StaleConnection extends Error {}

function attempt(wire: WireRequest, options: ExchangeOptions & { agent: Agent }): Promise<IncomingMessage> {
  const { agent, route, signal, answerTimeoutMs, maxHeaderBytes } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let settled = false;
    const request = httpRequest({
      agent,
      method: wire.method,
      path: wire.target,
      headers: { ...wire.headers },
      setHost: false,
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
      ...{ route },
    });
    const settle = (act: () => void) => {
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const fail = (error: unknown) => {
      settle(() => reject(error));
      request.destroy();
    };
    const onAbort = () => fail(signal.reason);
    const late = () => {
      const state = `no answer within ${answerTimeoutMs} ms (fetch.idle_timeout)`;
      fail(new FetchError("timeout", { origin: wire.origin, state, sent: true }));
    };
    signal.addEventListener("abort", onAbort);
    // The connection has a limit of its own; from here on the answer has to come, however slowly it drips.
    request.on("socket", () => {
      clearTimeout(timer); // comes twice where the runtime replaces a dead connection by itself
      if (!settled) timer = setTimeout(late, answerTimeoutMs);
    });
    request.on("error", (error) => fail(failure(error, { wire, options, reused: request.reusedSocket })));
    request.on("response", (message) => {
      message.on("error", () => {}); // whoever reads it sees it; without a listener it would end the program
      settle(() => resolve(message));
    });
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      fail(
        new FetchError("bad_response", {
          origin: wire.origin,
          state: "it switches to another protocol",
          sent: true,
        }),
      );
    });
    request.end(wire.body);
  });
}

function failure(
  error: Error,
  { wire, options, reused }: { wire: WireRequest; options: ExchangeOptions; reused: boolean },
): Error {
  if (error instanceof FetchError || error === options.signal.reason) return error;
  const { code = "" } = error as NodeJS.ErrnoException;
  const problem = { origin: wire.origin, cause: error, sent: true };
  if (code === "HPE_HEADER_OVERFLOW") {
    const state =
      `the header of the answer is larger than ${options.maxHeaderBytes} bytes (fetch.max_header)`;
    return new FetchError("too_large", { ...problem, state });
  }
  if (code.startsWith("HPE_")) {
    return new FetchError("bad_response", {
      ...problem,
      state: `the answer is no sound HTTP (${error.message})`,
    });
  }
  if (code === "ERR_INVALID_CHAR" || code === "ERR_UNESCAPED_CHARACTERS") {
    return new FetchError("invalid_request", { ...problem, state: error.message, sent: false });
  }
  if (reused) return new StaleConnection();
  return new FetchError("connection", {
    ...problem,
    state: `the connection broke before the answer (${code})`,
  });
}
