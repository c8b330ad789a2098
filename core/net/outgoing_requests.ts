import type { IncomingMessage } from "node:http";
import { rootCertificates } from "node:tls";
import { type Clock, systemClock } from "../clock.ts";
import { currentContext } from "../context.ts";
import type { Logger } from "../log.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { type Destination, shownOrigin } from "./destination.ts";
import { FetchCall } from "./fetch_call.ts";
import { FetchError } from "./fetch_error.ts";
import type { FetchObserver } from "./fetch_observer.ts";
import { Guard } from "./guard.ts";
import type { FetchOptions, GuardedFetch } from "./guarded_fetch.ts";
import type { GuardedResponse } from "./guarded_response.ts";
import { HostQueue } from "./host_queue.ts";
import { exchange, type WireRequest } from "./http_exchange.ts";
import { type ConnectOptions, proxyAuthorization } from "./open_socket.ts";
import { draftRequest, isRepeatable, type RequestDraft } from "./request_draft.ts";
import { type ResolveHost, resolveHost } from "./resolve_host.ts";
import type { FetchSettings } from "./settings.ts";
import { TimeBudget } from "./time_budget.ts";
import { acceptedEncodings } from "./unpack.ts";
import { withinTime } from "./within_time.ts";

export interface OutgoingRequestsOptions {
  readonly settings: FetchSettings;
  /** Of the program, for the User-Agent. */
  readonly version: string;
  readonly log: Logger;
  readonly observer?: FetchObserver;
  /** Default: that of the machine. */
  readonly clock?: Clock;
  /** Default: asks as the machine does. */
  readonly resolve?: ResolveHost;
  /** From 0 to 1; spreads retries. */
  readonly random?: () => number;
}

/** Addresses of one host that are tried one after the other. */
const maxTried = 4;

/** All requests that the agent sends to others, with what they share: rules, slots, connections. */
export class OutgoingRequests {
  readonly #options: OutgoingRequestsOptions;
  readonly #clock: Clock;
  readonly #guard: Guard;
  readonly #queue: HostQueue;
  readonly #pool = new ConnectionPool();
  readonly #stopping = new AbortController();
  readonly #ca: readonly string[] | undefined;

  constructor(options: OutgoingRequestsOptions) {
    const { settings, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#guard = new Guard(settings);
    this.#queue = new HostQueue({
      concurrency: settings.concurrency,
      perHost: settings.per_host,
      monotonic: () => clock.monotonic(),
    });
    this.#ca = settings.ca === undefined ? undefined : [...rootCertificates, settings.ca];
  }

  /** The `fetch` of one plugin; its requests end when `signal` is aborted. */
  forPlugin(plugin: string, signal: AbortSignal): GuardedFetch {
    return (input, options = {}) => this.#fetch(input, { options, plugin, pluginSignal: signal });
  }

  /** Ends what is under way and closes every connection. */
  close(): void {
    this.#stopping.abort(new FetchError("stopping", { origin: "", state: "the agent is stopping" }));
    this.#queue.close();
    this.#pool.close();
  }

  async #fetch(
    input: string | URL | Request,
    { options, plugin, pluginSignal }: { options: FetchOptions; plugin: string; pluginSignal: AbortSignal },
  ): Promise<GuardedResponse> {
    const startedAt = this.#clock.monotonic();
    const { observer, log } = this.#options;
    const observe = (outcome: string) =>
      observer?.observeFetch({ outcome, seconds: (this.#clock.monotonic() - startedAt) / 1000 });
    try {
      const response = await this.#call(input, { options, pluginSignal });
      observe(`${Math.floor(response.status / 100)}xx`);
      return response;
    } catch (error) {
      observe(error instanceof FetchError ? error.code : "aborted");
      if (error instanceof FetchError && error.code === "blocked_address") {
        log.warn("refused an outgoing request", { plugin, origin: error.origin, reason: error.message });
      }
      throw error;
    }
  }

  async #call(
    input: string | URL | Request,
    { options, pluginSignal }: { options: FetchOptions; pluginSignal: AbortSignal },
  ): Promise<GuardedResponse> {
    const { settings, random = Math.random, observer } = this.#options;
    const maxBodyBytes = narrowest(options.maxBodyBytes, settings.max_body);
    const draft = await draftRequest(input, options, { maxBodyBytes });
    this.#addHeaders(draft.headers, options);
    const callerSignal = options.signal ?? (input instanceof Request ? input.signal : undefined);
    const budget = new TimeBudget({
      totalMs: narrowest(options.timeoutMs, settings.timeout),
      origin: shownOrigin(draft.destination.url),
      signals: [callerSignal, pluginSignal, this.#stopping.signal],
    });
    const idleMs = narrowest(options.idleTimeoutMs, settings.idle_timeout);
    const call = new FetchCall({
      limits: {
        idleMs,
        maxBodyBytes,
        maxRedirects: narrowest(options.maxRedirects, settings.max_redirects),
        retries: narrowest(options.retries, settings.retries),
        retryDelayMs: settings.retry_delay,
        allowDowngrade: settings.allow_downgrade,
        spacing: options.spacing,
      },
      budget,
      queue: this.#queue,
      check: ({ destination }) => this.#guard.checkDestination(destination),
      send: (next) => this.#send(next, { signal: budget.signal, idleMs }),
      now: () => this.#clock.now(),
      random,
      onBody: (receivedBytes) => observer?.bodyReceived(receivedBytes),
    });
    try {
      return await call.run(
        draft,
        options.redirect ?? (input instanceof Request ? input.redirect : "follow"),
      );
    } catch (error) {
      budget[Symbol.dispose]();
      throw error;
    }
  }

  #addHeaders(headers: Headers, { correlate }: FetchOptions): void {
    const { version, settings: { contact } } = this.#options;
    const agent = `CommandCenter/${version}${contact === undefined ? "" : ` (+${contact})`}`;
    if (!headers.has("user-agent")) headers.set("user-agent", agent);
    if (!headers.has("accept")) headers.set("accept", "*/*");
    if (!headers.has("accept-encoding")) headers.set("accept-encoding", acceptedEncodings);
    const context = correlate ? currentContext() : undefined;
    if (context) headers.set("x-correlation-id", context.correlationId);
    if (context?.traceparent) headers.set("traceparent", context.traceparent);
  }

  /** One request to whichever of the host's addresses answers first; none of them was sent anything before. */
  async #send(
    draft: RequestDraft,
    { signal, idleMs }: { signal: AbortSignal; idleMs: number },
  ): Promise<IncomingMessage> {
    const { settings } = this.#options;
    const { destination } = draft;
    const origin = shownOrigin(destination.url);
    const proxy = settings.proxy && !this.#guard.isException(destination) ? settings.proxy : undefined;
    const connect: ConnectOptions = { signal, timeoutMs: settings.connect_timeout, ca: this.#ca, proxy };
    const addresses = proxy ? [undefined] : await this.#addresses(destination, signal);
    if (proxy) this.#guard.checkProxied(destination);
    const wire = this.#wireRequest(draft, { proxied: proxy !== undefined });
    let failed: unknown;
    for (const address of addresses) {
      try {
        return await exchange(wire, {
          keeping: isRepeatable(draft) ? this.#pool.keeping : undefined,
          single: this.#pool.single,
          route: { endpoint: { ...destination, origin, address }, connect },
          signal,
          answerTimeoutMs: idleMs,
          maxHeaderBytes: settings.max_header,
        });
      } catch (error) {
        const unreached = error instanceof FetchError && !error.sent &&
          (error.code === "connection" || error.code === "timeout");
        if (!unreached || signal.aborted) throw error;
        failed = error;
      }
    }
    throw failed;
  }

  /** Where a host may be reached, every address checked. */
  async #addresses(destination: Destination, signal: AbortSignal): Promise<string[]> {
    if (destination.literal) return [destination.literal.toString()];
    const { resolve = resolveHost, settings } = this.#options;
    const origin = shownOrigin(destination.url);
    const timeoutMs = settings.connect_timeout;
    const late = () => new FetchError("dns", { origin, state: `no answer from DNS within ${timeoutMs} ms` });
    let resolved: readonly string[];
    try {
      resolved = await withinTime(resolve(destination.hostname), { signal, timeoutMs, late });
    } catch (error) {
      if (error instanceof FetchError || signal.aborted) throw error;
      const { code = error } = error as NodeJS.ErrnoException;
      const state = `its name cannot be looked up (${code}); check how it is spelt`;
      throw new FetchError("dns", { origin, state, cause: error });
    }
    return this.#guard.checkResolved(destination, resolved).slice(0, maxTried).map(String);
  }

  #wireRequest(draft: RequestDraft, { proxied }: { proxied: boolean }): WireRequest {
    const { destination: { url, secure }, method, headers, body } = draft;
    const { proxy } = this.#options.settings;
    const throughProxy = proxied && !secure; // for https the proxy sees a tunnel only
    const path = `${url.pathname}${url.search}`;
    return {
      origin: shownOrigin(url),
      method,
      target: throughProxy ? `http://${url.host}${path}` : path,
      headers: {
        host: url.host,
        ...Object.fromEntries(headers),
        ...(body ? { "content-length": String(body.length) } : {}),
        ...(throughProxy ? proxyAuthorization(proxy!) : {}),
      },
      body,
    };
  }
}

/** The configured limit, unless the call asks for less. */
function narrowest(asked: number | undefined, configured: number): number {
  return asked === undefined ? configured : Math.max(0, Math.min(asked, configured));
}
