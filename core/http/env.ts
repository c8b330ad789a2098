import type { Principal } from "./principal.ts";
import type { OpenSockets } from "./serve.ts";

/** What every request handler finds in its Hono context: `c.get("principal")`, `c.env.remoteAddress`. */
export interface HttpEnv {
  Bindings: {
    /** Address of the peer as the socket tells it, or of the client where a trusted proxy says so. */
    readonly remoteAddress: string;
    /** Decoded path of the request. */
    readonly path: string;
    /** Aborted when the server starts to close: the moment for streams to end. */
    readonly closing: AbortSignal;
    /** False once the key that opened this request is revoked or expired; streams ask now and then. */
    stillAllowed(): boolean;
    /** For the HTTP server itself; handlers use `c.get(...)`. */
    readonly principal: Principal | undefined;
    /** For the HTTP server itself; handlers use `c.get(...)`. */
    readonly correlationId: string;
    /** While the body is being read: tells a slow sender from a slow handler. */
    receivingBody: boolean;
    /** For the HTTP server itself: what was thrown, for the log. */
    error: unknown;
    /** Largest body that this route takes, in bytes. */
    readonly maxBodyBytes: number;
    /** Where `upgradeWebSocket` enters its sockets, so that they end with the server. */
    readonly sockets: OpenSockets;
  };
  Variables: {
    /** Absent on routes that are open without a key. */
    principal?: Principal;
    correlationId: string;
  };
}
