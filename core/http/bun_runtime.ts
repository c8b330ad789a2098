import type { Peer, RawSocket, RawSocketEvents, RequestHandler, Runtime } from "./runtime.ts";

// As much of Bun's API as is used here; Deno's types and Bun's own contradict each other.
interface BunServer {
  readonly hostname: string;
  readonly port: number;
  requestIP(request: Request): { readonly address: string } | null;
  timeout(request: Request, seconds: number): void;
  upgrade(request: Request, options: { data: Upgraded; headers: Headers }): boolean;
  stop(cut?: boolean): Promise<void>;
}

interface BunSocket {
  readonly data: Upgraded;
  readonly readyState: number;
  getBufferedAmount(): number;
  send(text: string): number;
  close(code: number, reason: string): void;
}

interface BunServeOptions {
  readonly hostname: string;
  readonly port: number;
  readonly idleTimeout: number;
  readonly maxRequestBodySize: number;
  fetch(request: Request, server: BunServer): Promise<Response | undefined>;
  readonly websocket: {
    readonly idleTimeout: number;
    readonly maxPayloadLength: number;
    readonly backpressureLimit: number;
    readonly closeOnBackpressureLimit: boolean;
    open(socket: BunSocket): void;
    message(socket: BunSocket, data: string | Uint8Array): void;
    close(socket: BunSocket, code: number, reason: string): void;
  };
}

const { Bun } = globalThis as { Bun?: { serve(options: BunServeOptions): BunServer } };

/** A connection between requests, or with half a request, is closed after this many seconds. */
const idleSeconds = 60;
/** A WebSocket whose other end answers no ping for so long has gone. */
const socketIdleSeconds = 60;
/** Far above what the server lets wait for a slow reader before it says goodbye. */
const maxWaitingBytes = 64 * 1024 ** 2;

/** HTTP as Bun serves it. */
export const bunRuntime: Runtime | undefined = Bun && {
  listen({ hostname, port, handler }) {
    const server = Bun.serve({
      hostname,
      port,
      idleTimeout: idleSeconds,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER, // who takes the body has its own limit
      fetch: (request, server) => answer(request, { server, handler }),
      websocket: {
        idleTimeout: socketIdleSeconds,
        maxPayloadLength: maxWaitingBytes,
        backpressureLimit: maxWaitingBytes,
        closeOnBackpressureLimit: true,
        open: (socket) => socket.data.opened(socket),
        message: (socket, data) => socket.data.events.message(data),
        close: (socket, code, reason) => socket.data.closed(code, reason),
      },
    });
    return {
      hostname: server.hostname,
      port: server.port,
      finish: () => server.stop(),
      cut: () => server.stop(true),
    };
  },

  isTaken: (error) => (error as { code?: string }).code === "EADDRINUSE",

  upgrade({ headers }, events) {
    if (!/^[A-Za-z0-9+/]{22}==$/.test(headers.get("sec-websocket-key") ?? "")) {
      throw new TypeError("Cannot upgrade: Sec-WebSocket-Key is missing or malformed");
    }
    if (headers.get("sec-websocket-version") !== "13") {
      throw new TypeError("Cannot upgrade: Sec-WebSocket-Version is not 13");
    }
    const socket = new Upgraded(events);
    const response = new Response(null, { status: 101 });
    upgrades.set(response, socket);
    return { socket, response };
  },
};

/** The WebSockets that their answers stand for. */
const upgrades = new WeakMap<Response, Upgraded>();

async function answer(
  request: Request,
  { server, handler }: { server: BunServer; handler: RequestHandler },
): Promise<Response | undefined> {
  server.timeout(request, 0); // from here on the deadlines of the server count; a stream may be silent for long
  const peer = new RequestPeer(server.requestIP(request)?.address ?? "");
  const response = await handler(request, peer);
  const upgraded = upgrades.get(response);
  if (!upgraded) return peer.followed(response);
  if (server.upgrade(request, { data: upgraded, headers: response.headers })) return undefined;
  upgraded.closed(1006, "");
  return new Response(null, { status: 400 });
}

class RequestPeer implements Peer {
  readonly remoteAddr: { readonly hostname: string };
  #completed: PromiseWithResolvers<void> | undefined;

  constructor(address: string) {
    this.remoteAddr = { hostname: address };
  }

  get completed(): Promise<void> {
    this.#completed ??= Promise.withResolvers();
    return this.#completed.promise;
  }

  /** The same response, its end told to whoever waits for `completed`. */
  followed(response: Response): Response {
    if (!this.#completed) return response;
    const { resolve } = this.#completed;
    if (response.body) return new Response(toldOfEnd(response.body, resolve), response);
    resolve();
    return response;
  }
}

function toldOfEnd(body: ReadableStream<Uint8Array>, ended: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      ended();
    },
    cancel(reason) {
      ended();
      return reader.cancel(reason);
    },
  });
}

class Upgraded implements RawSocket {
  readonly events: RawSocketEvents;
  #socket: BunSocket | undefined;
  #closed = false;
  /** Asked for before the connection was there. */
  #farewell: { readonly code: number; readonly reason: string } | undefined;

  constructor(events: RawSocketEvents) {
    this.events = events;
  }

  get bufferedAmount(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  get readyState(): number {
    if (this.#closed) return WebSocket.CLOSED;
    return this.#socket?.readyState ?? WebSocket.CONNECTING;
  }

  send(text: string): void {
    this.#socket?.send(text);
  }

  close(code: number, reason: string): void {
    if (this.#socket) this.#socket.close(code, reason);
    else this.#farewell = { code, reason };
  }

  opened(socket: BunSocket): void {
    this.#socket = socket;
    if (this.#farewell) return socket.close(this.#farewell.code, this.#farewell.reason);
    this.events.open();
  }

  closed(code: number, reason: string): void {
    this.#closed = true;
    this.events.close({ code, reason });
  }
}
