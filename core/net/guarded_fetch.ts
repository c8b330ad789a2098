import type { GuardedResponse } from "./guarded_response.ts";
import type { Spacing } from "./host_queue.ts";

/** What a single call may ask for, beside what the web's `fetch` takes. Limits can only be narrower than configured. */
export interface FetchOptions extends RequestInit {
  /** Time for the whole call, not counting waits for the host or before a retry. */
  readonly timeoutMs?: number;
  /** Time until the answer begins, and longest silence within it. */
  readonly idleTimeoutMs?: number;
  /** Size of the body, sent or received, before and after unpacking. */
  readonly maxBodyBytes?: number;
  readonly maxRedirects?: number;
  /** Further attempts; only what is safe to repeat ever gets any. */
  readonly retries?: number;
  /** How close together the requests to this host may come. */
  readonly spacing?: Spacing;
  /** Send our correlation id and trace context; only meant for services of one's own. Default false. */
  readonly correlate?: boolean;
}

/**
 * The web's `fetch`, except that it reaches public addresses only, and whatever `fetch.allow` in the configuration names.
 * Sizes, times and redirects are bounded; few requests go to one host at once; what is safe to repeat is repeated.
 * Rejects with FetchError, or with the reason of `signal`.
 */
export interface GuardedFetch {
  (input: string | URL | Request, options?: FetchOptions): Promise<GuardedResponse>;
}
