import type { PluginMetrics } from "../metrics.ts";
import type { FetchObserver } from "./fetch_observer.ts";

/** Declares the metrics of outgoing requests. Once per agent. */
export function declareFetchMetrics(metrics: PluginMetrics): FetchObserver {
  const requests = metrics.counter({
    name: "commandcenter_fetch_requests_total",
    help: "Outgoing HTTP requests by outcome: class of the status (2xx), or why there was no answer",
    labels: ["outcome"],
  });
  const durations = metrics.histogram({
    name: "commandcenter_fetch_request_duration_seconds",
    help: "Time until the answer to an outgoing request began, with all waits, redirects and retries",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  });
  const received = metrics.counter({
    name: "commandcenter_fetch_received_bytes_total",
    help: "Bodies of answers to outgoing requests, as they came over the wire",
  });
  return {
    observeFetch({ outcome, seconds }) {
      requests.labels({ outcome }).inc();
      durations.observe(seconds);
    },
    bodyReceived: (sizeBytes) => received.inc(sizeBytes),
  };
}
