import type { HttpEnv } from "./env.ts";
import type { KeyRing } from "./key_ring.ts";
import type { Route } from "./mount.ts";
import type { Principal } from "./principal.ts";
import type { OpenSockets } from "./serve.ts";

/** What all requests share. */
export interface ExchangeShared {
  readonly keys: KeyRing;
  readonly sockets: OpenSockets;
  readonly closing: AbortSignal;
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
}

/** What is known about one request; its handlers see it as `c.env`. One object, since one is made per request. */
export class Exchange implements Exclude<HttpEnv["Bindings"], undefined> {
  readonly shared: ExchangeShared;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly origin: string | null;
  readonly correlationId: string;
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** Decoded; the router asks for it again. */
  path = "/";
  route: Route | undefined;
  principal: Principal | undefined;
  /** Origin of a foreign page that is allowed to call us. */
  listedOrigin: string | undefined;
  receivingBody = false;
  /** What was thrown, for the log. */
  error: unknown;
  readonly remoteAddress: string;

  constructor(
    request: Request,
    options: Pick<Exchange, "shared" | "origin" | "correlationId" | "nowMs"> & { remoteAddress: string },
  ) {
    this.shared = options.shared;
    this.method = request.method;
    this.url = request.url;
    this.headers = request.headers;
    this.origin = options.origin;
    this.remoteAddress = options.remoteAddress;
    this.correlationId = options.correlationId;
    this.nowMs = options.nowMs;
  }

  get closing(): AbortSignal {
    const { closing } = this.shared;
    return this.route ? AbortSignal.any([closing, this.route.mount.leaving.signal]) : closing;
  }

  get requestTimeoutMs(): number {
    return this.shared.requestTimeoutMs;
  }

  get sockets(): OpenSockets {
    return this.shared.sockets;
  }

  get maxBodyBytes(): number {
    return this.route?.maxBodyBytes ?? this.shared.maxBodyBytes;
  }

  stillAllowed(): boolean {
    return this.principal === undefined || this.shared.keys.isLive(this.principal.keyId);
  }
}
