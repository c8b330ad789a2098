import type { Context } from "hono";
import { currentContext, withContext } from "../context.ts";
import { ConfigurationError, messageOf, Problem } from "../errors.ts";
import { bunRuntime } from "./bun_runtime.ts";
import { denoRuntime } from "./deno_runtime.ts";
import type { HttpEnv } from "./env.ts";
import type { RawSocket, RawSocketEvents, RequestHandler, Runtime, RuntimeServer } from "./runtime.ts";
import { UnderWay } from "./under_way.ts";

export type { Peer, RequestHandler } from "./runtime.ts";

/** The one place that asks where we run: Deno in a checkout, either of the two in a packed program. */
const runtime = bunRuntime ?? denoRuntime;

/** Largest text or binary message taken from a WebSocket client, in bytes. */
const maxMessageBytes = 1024 ** 2;

export interface ServeOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly handler: RequestHandler;
}

/** A listening server. */
export interface Listening {
  /** Where this machine reaches it, such as `http://127.0.0.1:9000`. */
  readonly url: string;
  /** Takes no new connection; resolves when the last answer, streams included, has been sent. Then no `cut` any more. */
  finish(): Promise<void>;
  /** Cuts every connection. */
  cut(): Promise<void>;
}

/** Listens. Rejects with ConfigurationError where the address or port cannot be had. */
// deno-lint-ignore require-await -- other runtimes only know asynchronously whether they listen
export async function serve({ host, port, handler }: ServeOptions): Promise<Listening> {
  const hostname = host.replace(/^\[(.*)\]$/, "$1");
  let server: RuntimeServer;
  try {
    server = runtime.listen({ hostname, port, handler });
  } catch (error) {
    const advice = runtime.isTaken(error)
      ? "the port is in use; stop what uses it or set another http.port"
      : messageOf(error);
    throw new ConfigurationError([`Cannot listen on "${host}:${port}": ${advice}`], { cause: error });
  }
  const reachable = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : server.hostname;
  const bracketed = /^[^[].*:/.test(reachable) ? `[${reachable}]` : reachable;
  return {
    url: `http://${bracketed}:${server.port}`,
    finish: () => server.finish(),
    cut: () => server.cut(),
  };
}

/** A WebSocket connection, seen from the server. */
export interface Socket {
  /** Sends text, or nothing where the connection is no longer open. */
  send(text: string): void;
  /** Bytes handed to `send` that have not left yet. */
  readonly bufferedAmount: number;
  /** As in the browser: 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Says goodbye; `code` is 1000 or 3000–4999, or another of RFC 6455 that a server may send. */
  close(code?: number, reason?: string): void;
}

/**
 * What to do with a connection; runs in the context (correlation id, principal) of the request that opened it.
 * A handler that throws or rejects is logged and ends the connection (1011).
 */
export interface SocketHandlers {
  onOpen?(socket: Socket): unknown;
  onMessage?(data: string | Uint8Array, socket: Socket): unknown;
  /** Always the last call. */
  onClose?(event: { readonly code: number; readonly reason: string }): unknown;
  /** The connection broke; `onClose` follows. */
  onError?(error: unknown): unknown;
}

/** The WebSocket connections of one server. */
export class OpenSockets {
  readonly #open = new Set<RawSocket>();
  readonly #underWay = new UnderWay();
  /** Told of what a handler threw. */
  readonly onHandlerError: (error: unknown) => void;

  constructor(onHandlerError: (error: unknown) => void) {
    this.onHandlerError = onHandlerError;
  }

  add(socket: RawSocket): void {
    this.#open.add(socket);
    this.#underWay.enter();
  }

  delete(socket: RawSocket): void {
    if (this.#open.delete(socket)) this.#underWay.leave();
  }

  /** Says goodbye (1001) to all of them and waits, `timeoutMs` at the most, until they are gone. */
  async close(timeoutMs: number): Promise<void> {
    for (const socket of this.#open) closeSocket(socket, { code: 1001, reason: "the agent is stopping" });
    await this.#underWay.none(timeoutMs);
  }
}

/** Turns the request into a WebSocket; return the response as it is. Throws Problem 426 where none was asked for. */
export function upgradeWebSocket(c: Context<HttpEnv>, handlers: SocketHandlers): Response {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    throw new Problem(426, "upgrade_required", {
      detail: "This is a WebSocket: connect with ws:// and an upgrade",
    });
  }
  const { sockets } = c.env;
  const context = currentContext();
  const failed = (error: unknown) => {
    sockets.onHandlerError(error);
    closeSocket(raw, { code: 1011, reason: "internal error" });
  };
  const run = async (work: () => unknown) => {
    try {
      await (context ? withContext(context, work) : work());
    } catch (error) {
      if (context) withContext(context, () => failed(error));
      else failed(error);
    }
  };
  const { socket: raw, response } = upgrade(c.req.raw, {
    open: () => run(() => handlers.onOpen?.(socket)),
    message: (data) => {
      if (data.length > maxMessageBytes) return socket.close(1009, "message too large");
      run(() => handlers.onMessage?.(data, socket));
    },
    error: (error) => run(() => handlers.onError?.(error)),
    close: (event) => {
      sockets.delete(raw);
      run(() => handlers.onClose?.(event));
    },
  });
  const socket: Socket = {
    send: (text) => raw.readyState === WebSocket.OPEN && raw.send(text),
    get bufferedAmount() {
      return raw.bufferedAmount;
    },
    get readyState() {
      return raw.readyState;
    },
    close: (code = 1000, reason = "") => closeSocket(raw, { code, reason }),
  };
  sockets.add(raw);
  return response;
}

function upgrade(request: Request, events: RawSocketEvents): ReturnType<Runtime["upgrade"]> {
  try {
    return runtime.upgrade(request, events);
  } catch (cause) {
    throw new Problem(400, "bad_handshake", {
      detail: "This is no WebSocket handshake: it takes Sec-WebSocket-Key and Sec-WebSocket-Version: 13",
      cause,
    });
  }
}

function closeSocket(socket: RawSocket, { code, reason }: { code: number; reason: string }): void {
  if (socket.readyState >= WebSocket.CLOSING) return;
  socket.close(code, reason);
}
