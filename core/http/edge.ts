import { trace } from "@opentelemetry/api";
import { getPath } from "hono/utils/url";
import type { Clock } from "../clock.ts";
import { type CallContext, withContext } from "../context.ts";
import { Problem } from "../errors.ts";
import type { HttpObservation } from "../http_metrics.ts";
import type { Logger, LogProperties } from "../log.ts";
import { isCollectingSpans, traceparentOfSpan } from "../trace.ts";
import type { TrustedProxies } from "./address.ts";
import type { Authenticator } from "./authenticator.ts";
import { correlationIdOf, traceparentOf } from "./correlation.ts";
import type { Deadlines } from "./deadlines.ts";
import { Exchange, type ExchangeShared } from "./exchange.ts";
import type { HostGuard } from "./host_guard.ts";
import type { Route } from "./mount.ts";
import type { Mounts } from "./mounts.ts";
import { problemOf, problemResponse } from "./problem.ts";
import { preflightResponse, withStandardHeaders } from "./response_headers.ts";
import { notFound, type RouteTable } from "./route_table.ts";
import type { RequestHandler } from "./serve.ts";
import type { UnderWay } from "./under_way.ts";

export interface EdgeOptions {
  readonly shared: ExchangeShared;
  readonly guard: HostGuard;
  readonly proxies: TrustedProxies;
  readonly authenticator: Authenticator;
  readonly mounts: Mounts;
  readonly deadlines: Deadlines;
  /** Streams that have not ended yet. */
  readonly streams: UnderWay;
  readonly requestStarted: () => void;
  readonly observe: (observation: HttpObservation) => void;
  /** Whether each request gets a debug line. */
  readonly accessLog: boolean;
  readonly log: Logger;
  readonly clock: Clock;
}

/**
 * Everything that happens around a request handler, as one function rather than a chain of middleware: it costs two or
 * three microseconds, and stays synchronous where the handler is.
 */
export class Edge {
  readonly #options: EdgeOptions;

  constructor(options: EdgeOptions) {
    this.#options = options;
  }

  /** Answers one request; never throws or rejects. */
  readonly handle: RequestHandler = (request, peer) => {
    const { shared, proxies, requestStarted, clock } = this.#options;
    requestStarted();
    const { headers } = request;
    // Asked with `has`, the runtime reads all headers in one step, which it does in the end anyway; `get` reads one.
    const origin = headers.has("origin") ? headers.get("origin") : null;
    const exchange = new Exchange(request, {
      shared,
      origin,
      remoteAddress: proxies.client(peer.remoteAddr.hostname, headers),
      correlationId: correlationIdOf(headers.get("x-correlation-id")),
      nowMs: clock.monotonic(),
    });
    try {
      const answer = this.#answer(request, exchange);
      if (exchange.route?.streams) this.#follow(peer.completed);
      if (!(answer instanceof Promise)) return this.#finish(answer, exchange);
      return answer.then(
        (response) => this.#finish(response, exchange),
        (error) => this.#finish(failureResponse(error, exchange), exchange),
      );
    } catch (error) {
      return this.#finish(failureResponse(error, exchange), exchange);
    }
  };

  #answer(request: Request, exchange: Exchange): Response | Promise<Response> {
    const { mounts, authenticator, shared } = this.#options;
    const { table } = mounts;
    const path = exchange.path = getPath(request);
    if (this.#refuseForeign(exchange)) return preflightResponse();
    const route = exchange.route = table.find(exchange.method, path);
    if (shared.closing.aborted && !route?.mount.whileStopping) throw stopping();
    if (route?.policy.open) {
      authenticator.admitAnonymous(exchange);
      return this.#dispatch(request, { exchange, route, table });
    }
    const decision = authenticator.decide(exchange, route?.policy);
    if (decision instanceof Promise) {
      return decision.then((principal) => {
        if (table !== mounts.table) return this.#answer(request, exchange); // a plugin came or went meanwhile
        exchange.principal = principal;
        return route ? this.#dispatch(request, { exchange, route, table }) : this.#unmatched(path, exchange);
      });
    }
    exchange.principal = decision;
    return route ? this.#dispatch(request, { exchange, route, table }) : this.#unmatched(path, exchange);
  }

  /** Throws Problem 400, 403 or 421 for what a foreign web page may have sent; true for an allowed page's preflight. */
  #refuseForeign(exchange: Exchange): boolean {
    const { guard } = this.#options;
    const { headers, url, origin } = exchange;
    const host = headers.get("host");
    if (host === null || !guard.allowsHost(host)) throw hostNotAllowed(host);
    if (url.includes("%00")) {
      throw new Problem(400, "invalid_url", { detail: "The URL holds a NUL character" });
    }
    if (origin === null) return false;
    const judgement = guard.judgeOrigin(origin, host);
    if (judgement === "foreign") {
      throw new Problem(403, "origin_not_allowed", {
        detail: `Pages of ${
          origin.slice(0, 200)
        } may not call this agent; http.allowed_origins lists who may`,
      });
    }
    if (judgement === "listed") exchange.listedOrigin = origin;
    return judgement === "listed" && exchange.method === "OPTIONS" &&
      headers.has("access-control-request-method");
  }

  #dispatch(
    request: Request,
    { exchange, route, table }: { exchange: Exchange; route: Route; table: RouteTable },
  ): Response | Promise<Response> {
    const { mount } = route;
    mount.inHand.enter();
    let answer: Response | Promise<Response>;
    try {
      answer = withContext(contextOf(exchange, route), () => table.app.fetch(request, exchange));
    } catch (error) {
      mount.inHand.leave();
      throw error;
    }
    if (answer instanceof Promise) return this.#bounded(answer, exchange, route);
    mount.inHand.leave();
    return answer;
  }

  /** The answer, or a rejection when it does not begin in time; the handler then goes on without anybody listening. */
  #bounded(answer: Promise<Response>, exchange: Exchange, { mount }: Route): Promise<Response> {
    return new Promise((resolve, reject) => {
      let late = false;
      const inTime = this.#options.deadlines.start(() => {
        late = true;
        reject(timedOut(exchange));
      });
      const done = () => {
        inTime();
        mount.inHand.leave();
      };
      answer.then((response) => {
        done();
        if (late) response.body?.cancel().catch(() => {}); // nobody will read it
        else resolve(response);
      }, (error) => {
        done();
        reject(error);
      });
    });
  }

  /** Counts a stream until it has ended, so that closing can wait for it. */
  #follow(completed: Promise<void>): void {
    const { streams } = this.#options;
    streams.enter();
    const ended = () => streams.leave();
    completed.then(ended, ended);
  }

  #unmatched(path: string, { method }: Exchange): Response {
    const stopped = this.#options.mounts.stoppedProblem(path);
    if (stopped) throw stopped;
    const allow = this.#options.mounts.table.methodsOf(path);
    if (allow.length === 0) throw notFound(path);
    if (method === "OPTIONS") {
      return new Response(null, { status: 204, headers: { allow: allow.join(", ") } });
    }
    throw new Problem(405, "method_not_allowed", {
      detail: `${path.slice(0, 200)} does not take ${method.slice(0, 20)}; it takes ${allow.join(", ")}`,
      extras: { allow },
    });
  }

  #finish(response: Response, exchange: Exchange): Response {
    const { observe, accessLog, log, clock } = this.#options;
    const { status } = response;
    const finished = status === 101 ? response : withStandardHeaders(response, exchange);
    const { method, route, error } = exchange;
    const seconds = (clock.monotonic() - exchange.nowMs) / 1000;
    observe({ method, route: route?.template, status, seconds });
    if (error !== undefined && status >= 500) {
      const level = status === 500 ? "error" : "warn";
      log[level]("a request failed", { ...accessOf(exchange, { status, seconds }), error });
    } else if (accessLog) log.debug("request", accessOf(exchange, { status, seconds }));
    return finished;
  }
}

/** Turns what a handler or the edge threw into an answer, and keeps it for the log. */
export function failureResponse(error: unknown, exchange: Failing): Response {
  exchange.error = error;
  return problemResponse(problemOf(error), exchange.correlationId);
}

/** What is noted of a request that failed. */
export interface Failing {
  error: unknown;
  readonly correlationId: string;
}

/**
 * What the handler's own doings carry along; below the runtime's span, where it makes them. Small and without a way to
 * the exchange: every context outlives its request by one collection of garbage, at 2 µs for a whole exchange.
 */
function contextOf(
  { method, headers, correlationId, principal }: Exchange,
  { template }: Route,
): CallContext {
  const sent = traceparentOf(headers.get("traceparent"));
  const span = isCollectingSpans() ? trace.getActiveSpan() : undefined;
  if (!span) return { correlationId, traceparent: sent, principal };
  span.updateName(`${method} ${template}`); // the runtime knows only the path
  span.setAttribute("http.route", template);
  return { correlationId, traceparent: traceparentOfSpan(span) ?? sent, principal };
}

function accessOf(
  { method, path, remoteAddress, principal, correlationId }: Exchange,
  { status, seconds }: { status: number; seconds: number },
): LogProperties {
  return {
    method,
    path, // without the query, which may hold a ticket
    status,
    ms: Math.round(seconds * 1e6) / 1e3,
    remote: remoteAddress,
    key: principal?.keyId,
    correlation_id: correlationId,
  };
}

function hostNotAllowed(host: string | null): Problem {
  if (host === null) return new Problem(400, "host_not_allowed", { detail: "The request names no host" });
  return new Problem(421, "host_not_allowed", {
    detail: `This agent does not answer to the host ${
      host.slice(0, 200)
    }; http.allowed_hosts lists further names`,
  });
}

function stopping(): Problem {
  return new Problem(503, "stopping", { detail: "The agent is stopping", extras: { retry_after: 5 } });
}

function timedOut({ receivingBody }: Exchange): Problem {
  return receivingBody
    ? new Problem(408, "body_timeout", { detail: "The body did not arrive in time" })
    : new Problem(503, "timeout", { detail: "The answer took too long and was given up; try again later" });
}
