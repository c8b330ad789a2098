import { Agent, type ClientRequest } from "node:http";
import type { Duplex } from "node:stream";
import { type ConnectOptions, type Endpoint, openSocket } from "./open_socket.ts";

/** Idle connections that are kept, to all hosts together and to one of them. */
const maxIdle = 64;
const maxIdlePerHost = 4;

/** How long an idle connection is kept. */
const idleMs = 4000;

/** What `http.request` hands on to the agent, beside its own options. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly connect: ConnectOptions;
}

interface RoutedOptions {
  readonly route: Route;
}

/** An agent that makes connections by `openSocket` only, and shares them only for the same host at the same address. */
class GuardedAgent extends Agent {
  override createConnection(
    options: unknown,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex {
    const { endpoint, connect } = (options as RoutedOptions).route;
    const none = undefined as unknown as Duplex; // it comes by the callback, which the types leave out
    openSocket(endpoint, connect).then(
      (socket) => callback!(null, socket),
      (error) => callback!(error, none),
    );
    return none;
  }

  override getName(options?: unknown): string {
    const { endpoint } = (options as RoutedOptions).route;
    return `${endpoint.origin} ${endpoint.address ?? "proxy"}`;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    const idle = Object.values(this.freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);
    if (idle >= maxIdle) return false;
    socket.on("data", closeUnasked);
    return super.keepSocketAlive(socket) as unknown as boolean;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.off("data", closeUnasked);
    super.reuseSocket(socket, request);
  }
}

/** What comes while nobody has asked must not become the answer to the next request. */
function closeUnasked(this: Duplex): void {
  this.destroy();
}

/** The connections of one agent; some are kept for a few seconds. */
export class ConnectionPool {
  /**
   * Lends a kept connection where there is one. It may turn out to be dead when the request is under way, so that only
   * what can be sent twice goes over it.
   */
  readonly keeping: Agent = new GuardedAgent({
    keepAlive: true,
    maxFreeSockets: maxIdlePerHost,
    timeout: idleMs,
  });
  /** Connects anew for every request. */
  readonly single: Agent = new GuardedAgent({ keepAlive: false });

  /** Closes every connection. */
  close(): void {
    this.keeping.destroy();
    this.single.destroy();
  }
}
