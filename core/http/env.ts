import type { Principal } from "./principal.ts";
import type { OpenSockets } from "./serve.ts";

/** What every request handler finds in its Hono context, such as `c.env.principal`. */
export interface HttpEnv {
  Bindings: {
    /** Address of the peer as the socket tells it, or of the client where a trusted proxy says so. */
    readonly remoteAddress: string;
    /** Decoded path of the request. */
    readonly path: string;
    /** Aborted when the server or the plugin starts to close: the moment for streams and waits to end. */
    readonly closing: AbortSignal;
    /** False once the key that opened this request is revoked or expired; streams ask now and then. */
    stillAllowed(): boolean;
    /** Whose key or ticket opened the request; undefined on routes that are open without one. */
    readonly principal: Principal | undefined;
    /** The caller's where it sent one, else a new one. */
    readonly correlationId: string;
    /** While the body is being read: tells a slow sender from a slow handler. */
    receivingBody: boolean;
    /** For the HTTP server itself: what was thrown, for the log. */
    error: unknown;
    /** Time within which the answer has to begin, in milliseconds. */
    readonly requestTimeoutMs: number;
    /** Largest body that this route takes, in bytes. */
    readonly maxBodyBytes: number;
    /** Where `upgradeWebSocket` enters its sockets, so that they end with the server. */
    readonly sockets: OpenSockets;
  };
}
