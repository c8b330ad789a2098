/** Why an outgoing request did not get its answer. */
export type FetchErrorCode =
  /** The address, port or name is not open to requests; see `fetch.allow`. */
  | "blocked_address"
  /** Not an absolute http or https URL, or one with a user or password in it. */
  | "invalid_url"
  /** A method, header or body that must not or cannot be sent. */
  | "invalid_request"
  /** The name has no address. */
  | "dns"
  /** Nobody answered, or the connection broke. */
  | "connection"
  /** The certificate or the handshake was not accepted. */
  | "tls"
  /** A redirect that must not be followed. */
  | "bad_redirect"
  | "too_many_redirects"
  /** What came is no sound HTTP, or cannot be unpacked. */
  | "bad_response"
  /** Header or body is larger than allowed, also after unpacking. */
  | "too_large"
  | "timeout"
  /** The host asked for a pause that has not passed yet; see `retryAfterMs`. */
  | "rate_limited"
  /** Too many requests wait already. */
  | "busy"
  /** The agent, or the plugin that asked, is stopping. */
  | "stopping";

/** What a FetchError tells beyond its code. */
export interface FetchErrorOptions {
  /** Scheme, host and port of what was asked; never its path, which may hold a secret. */
  readonly origin: string;
  /** What was wrong and what to do. */
  readonly state: string;
  readonly cause?: unknown;
  /** Whether the other side may have seen something of the request; default false. */
  readonly sent?: boolean;
  readonly retryAfterMs?: number;
}

/** An outgoing request without an answer: `Cannot fetch "<origin>": <state>`. */
export class FetchError extends Error {
  override readonly name = "FetchError";
  readonly code: FetchErrorCode;
  /** Scheme, host and port of what was asked. */
  readonly origin: string;
  /** Whether the other side may have seen something of the request. */
  readonly sent: boolean;
  /** After how many milliseconds the host wants to be asked again, where it said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: FetchErrorCode, { origin, state, cause, sent = false, retryAfterMs }: FetchErrorOptions) {
    super(`Cannot fetch "${origin}": ${state}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.origin = origin;
    this.sent = sent;
    this.retryAfterMs = retryAfterMs;
  }
}
