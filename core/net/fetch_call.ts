import type { IncomingMessage } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { bodyStream } from "./body_stream.ts";
import { shownOrigin } from "./destination.ts";
import { FetchError } from "./fetch_error.ts";
import { type FollowedRedirect, GuardedResponse } from "./guarded_response.ts";
import type { HostQueue, ReleaseSlot, Spacing } from "./host_queue.ts";
import { isRedirect, redirected } from "./redirect.ts";
import { isRepeatable, type RequestDraft } from "./request_draft.ts";
import { backoffMs, isPassingError, isPassingStatus, maxPauseMs, retryAfterMs } from "./retry.ts";
import type { TimeBudget } from "./time_budget.ts";
import { encodingsOf } from "./unpack.ts";

/** What one call may use up. */
export interface CallLimits {
  readonly idleMs: number;
  readonly maxBodyBytes: number;
  readonly maxRedirects: number;
  readonly retries: number;
  readonly retryDelayMs: number;
  readonly allowDowngrade: boolean;
  readonly spacing: Spacing | undefined;
}

/** What one call needs of the rest. */
export interface CallParts {
  readonly limits: CallLimits;
  readonly budget: TimeBudget;
  readonly queue: HostQueue;
  /** Checks where it goes, connects, and resolves to the header of the answer. */
  readonly send: (draft: RequestDraft) => Promise<IncomingMessage>;
  /** Throws where a request must not even wait for its turn. */
  readonly check: (draft: RequestDraft) => void;
  readonly now: () => number;
  readonly random: () => number;
  readonly onBody: (receivedBytes: number) => void;
}

interface Answer {
  readonly message: IncomingMessage;
  readonly status: number;
  readonly headers: Headers;
  readonly release: ReleaseSlot;
}

/** One call of `fetch`: its redirects, its retries, its answer. */
export class FetchCall {
  readonly #parts: CallParts;
  #retriesLeft: number;
  #attempt = 0;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#retriesLeft = parts.limits.retries;
  }

  /** Sends the request and whatever follows from it; `mode` is what the web calls `redirect`. */
  async run(first: RequestDraft, mode: RequestRedirect): Promise<GuardedResponse> {
    const { limits } = this.#parts;
    const redirects: FollowedRedirect[] = [];
    for (let draft = first;;) {
      const answer = await this.#answered(draft);
      const { status, headers } = answer;
      if (mode === "manual" || !isRedirect(status, headers)) return this.#respond(draft, answer, redirects);
      discard(answer);
      const origin = shownOrigin(draft.destination.url);
      if (mode === "error") {
        throw new FetchError("bad_redirect", { origin, state: "it sends on to elsewhere", sent: true });
      }
      if (redirects.length >= limits.maxRedirects) {
        const state = `more than ${limits.maxRedirects} redirects (fetch.max_redirects)`;
        throw new FetchError("too_many_redirects", { origin, state, sent: true });
      }
      draft = redirected(draft, { status, headers, allowDowngrade: limits.allowDowngrade });
      redirects.push({ status, url: withoutFragment(draft.destination.url) });
    }
  }

  /** The answer to one request, with its retries. */
  async #answered(draft: RequestDraft): Promise<Answer> {
    for (;;) {
      let pauseMs: number | undefined;
      try {
        const answer = await this.#once(draft);
        const askedMs = this.#heed(draft, answer);
        if (!isPassingStatus(answer.status) || (askedMs ?? 0) > maxPauseMs || !this.#mayRetry(draft)) {
          return answer;
        }
        discard(answer);
        pauseMs = askedMs;
      } catch (error) {
        if (!isPassingError(error) || !this.#mayRetry(draft)) throw error;
      }
      this.#retriesLeft--;
      const { limits, random, budget } = this.#parts;
      // What the host asked for is kept by the queue; on top of it everybody comes at another time.
      const spreadMs = backoffMs(this.#attempt++, { baseMs: limits.retryDelayMs, random });
      await wait((pauseMs ?? 0) + spreadMs, undefined, { signal: budget.signal }).catch(() => {});
      budget.signal.throwIfAborted();
    }
  }

  #mayRetry(draft: RequestDraft): boolean {
    return this.#retriesLeft > 0 && isRepeatable(draft) && !this.#parts.budget.signal.aborted;
  }

  /** Passes on to the queue what the host asked for; milliseconds, or undefined where it asked for nothing. */
  #heed(draft: RequestDraft, answer: Answer): number | undefined {
    const askedMs = retryAfterMs(answer, this.#parts.now());
    if (askedMs) this.#parts.queue.pause(draft.destination.url.origin, askedMs);
    return askedMs;
  }

  async #once(draft: RequestDraft): Promise<Answer> {
    const { queue, budget, check, send, limits } = this.#parts;
    check(draft);
    const giveBack = await queue.acquire(draft.destination.url.origin, {
      signal: budget.signal,
      patienceMs: maxPauseMs,
      spacing: limits.spacing,
    });
    const release = () => {
      budget.pause();
      giveBack();
    };
    budget.start();
    let message: IncomingMessage | undefined;
    try {
      message = await send(draft);
      return { message, status: message.statusCode!, headers: headersOf(message, draft), release };
    } catch (error) {
      message?.destroy();
      release();
      throw budget.signal.aborted ? budget.signal.reason : error;
    }
  }

  #respond(
    { destination: { url }, method }: RequestDraft,
    { message, status, headers, release }: Answer,
    redirects: readonly FollowedRedirect[],
  ): GuardedResponse {
    const { limits, budget, onBody } = this.#parts;
    const init = { status, statusText: statusText(message), url: withoutFragment(url), redirects };
    const end = () => {
      release();
      budget[Symbol.dispose]();
    };
    if (method === "HEAD" || status === 204 || status === 205 || status === 304) {
      message.resume();
      end();
      return new GuardedResponse(null, { ...init, headers });
    }
    try {
      const origin = shownOrigin(url);
      const encodings = encodingsOf(headers.get("content-encoding"), origin);
      const body = bodyStream(message, {
        origin,
        encodings,
        maxBytes: limits.maxBodyBytes,
        idleMs: limits.idleMs,
        signal: budget.signal,
        onEnd: ({ receivedBytes }) => {
          onBody(receivedBytes);
          end();
        },
      });
      if (encodings.length > 0) {
        ["content-encoding", "content-length"].forEach((name) => headers.delete(name));
      }
      return new GuardedResponse(body, { ...init, headers });
    } catch (error) {
      message.destroy();
      end();
      throw error;
    }
  }
}

/** Nobody will read it: closes the connection, since there is no telling how much would come. */
function discard({ message, release }: Answer): void {
  message.destroy();
  release();
}

function headersOf({ rawHeaders, statusCode = 0 }: IncomingMessage, { destination }: RequestDraft): Headers {
  const origin = shownOrigin(destination.url);
  const unsound = (state: string, cause?: unknown) =>
    new FetchError("bad_response", { origin, state, cause, sent: true });
  if (statusCode < 200 || statusCode > 599) throw unsound(`its status is ${statusCode}`);
  const headers = new Headers();
  try {
    for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  } catch (cause) {
    throw unsound("a header of the answer is no text", cause);
  }
  return headers;
}

/** What the web lets a status text be. */
function statusText({ statusMessage = "" }: IncomingMessage): string {
  return statusMessage.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "");
}

function withoutFragment(url: URL): string {
  const [text] = url.href.split("#");
  return text!;
}
