import type { Counter, Histogram, PluginMetrics } from "./metrics.ts";

/** One answered request. */
export interface HttpObservation {
  readonly method: string;
  /** The template of the route (`/api/events/{id}`), never the path; absent where no route matched. */
  readonly route?: string | undefined;
  readonly status: number;
  /** Until the answer began. */
  readonly seconds: number;
}

/** What the HTTP server reports to. */
export interface HttpMetrics {
  /** A request came in; one `observeHttp` follows when its answer begins, whatever that is. */
  requestStarted(): void;
  /** Counts the answer to a request that has started; well under a microsecond. */
  observeHttp(observation: HttpObservation): void;
}

const maxSeries = 2000;

interface Series {
  readonly count: Counter;
  readonly duration: Histogram;
}

/** Anybody may send any method: what is not listed counts as `other`. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Declares the metrics of the HTTP server. */
export function declareHttpMetrics(metrics: PluginMetrics): HttpMetrics {
  const answers = metrics.counter({
    name: "commandcenter_http_requests_total",
    help: "Answered HTTP requests; route is the template, or unmatched",
    labels: ["method", "route", "status"],
    maxSeries,
  });
  const durations = metrics.histogram({
    name: "commandcenter_http_request_duration_seconds",
    help: "Time until the answer began; route is the template, or unmatched",
    labels: ["method", "route"],
    maxSeries: 500,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  });
  // By route, method and status. Nested, since joining the three into one key would cost more than all the rest.
  const series = new Map<string, Map<string, Map<number, Series>>>();
  let inFlight = 0;
  metrics.gauge({
    name: "commandcenter_http_requests_in_flight",
    help: "HTTP requests whose answer has not begun yet",
    collect: () => inFlight,
  });
  return {
    requestStarted: () => void inFlight++,
    observeHttp({ method: sent, route = "unmatched", status, seconds }) {
      inFlight--;
      const known = series.get(route)?.get(sent)?.get(status);
      if (known) {
        known.count.inc();
        known.duration.observe(seconds);
        return;
      }
      const method = methods.has(sent) ? sent : "other";
      const count = answers.labels({ method, route, status: `${status}` });
      const duration = durations.labels({ method, route });
      count.inc();
      duration.observe(seconds);
      // Only known methods are kept, so that nobody can fill the memory by inventing some.
      if (method === sent) remember(series, { route, method, status, series: { count, duration } });
    },
  };
}

function remember(
  all: Map<string, Map<string, Map<number, Series>>>,
  { route, method, status, series }: { route: string; method: string; status: number; series: Series },
): void {
  const byMethod = all.get(route) ?? new Map<string, Map<number, Series>>();
  const byStatus = byMethod.get(method) ?? new Map<number, Series>();
  byStatus.set(status, series);
  byMethod.set(method, byStatus);
  all.set(route, byMethod);
}
