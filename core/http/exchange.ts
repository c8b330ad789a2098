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
}

/** What is known about one request; its handlers see it as `c.env`. One object, since one is made per request. */
export class Exchange implements Exclude<HttpEnv["Bindings"], undefined> {
  readonly shared: ExchangeShared;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly remoteAddress: string;
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

  constructor(
    request: Request,
    options: { shared: ExchangeShared; remoteAddress: string; correlationId: string; nowMs: number },
  ) {
    this.shared = options.shared;
    this.method = request.method;
    this.url = request.url;
    this.headers = request.headers;
    this.remoteAddress = options.remoteAddress;
    this.correlationId = options.correlationId;
    this.nowMs = options.nowMs;
  }

  get closing(): AbortSignal {
    return this.shared.closing;
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
