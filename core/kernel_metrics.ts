import type { Bus } from "./bus/bus.ts";
import { countedBus } from "./counted_bus.ts";
import type { HealthChecks } from "./health.ts";
import { declareHttpMetrics, type HttpMetrics } from "./http_metrics.ts";
import type { Metrics, PluginMetrics } from "./metrics.ts";
import { declareFetchMetrics } from "./net/fetch_metrics.ts";
import type { FetchObserver } from "./net/fetch_observer.ts";
import type { Storage } from "./storage/storage.ts";

/** What the kernel reports to while it works. Every call is cheap and none throws. */
export interface KernelMetrics extends HttpMetrics, FetchObserver {
  /** The same bus, with everything that goes through it counted. */
  readonly bus: Bus;
  /** A subscription, schedule or loop of this plugin threw. */
  handlerFailed(plugin: string): void;
}

/** Milliseconds that the bus has for its round trip during a scrape. */
const busProbeTimeoutMs = 900;

/** Declares what the kernel itself measures: health, HTTP both ways, bus, storage and failing handlers. Once per agent. */
export function declareKernelMetrics(
  metrics: Metrics,
  { bus, storage, health }: { bus: Bus; storage: Storage; health: HealthChecks },
): KernelMetrics {
  const kernel = metrics.forKernel();
  declareHealthMetric(kernel, health);
  declareStorageMetrics(kernel, storage);
  declareBusMetrics(kernel, bus);
  const failures = kernel.counter({
    name: "commandcenter_handler_failures_total",
    help: "Subscriptions, schedules and loops of a plugin that threw",
    labels: ["plugin"],
  });
  return {
    ...declareHttpMetrics(kernel),
    ...declareFetchMetrics(kernel),
    bus: countedBus(bus, kernel),
    handlerFailed: (plugin) => failures.labels({ plugin }).inc(),
  };
}

function declareHealthMetric(metrics: PluginMetrics, health: HealthChecks): void {
  const levels = { up: 0, degraded: 1, down: 2 };
  metrics.gauge({
    name: "commandcenter_health_state",
    help: "What /health says of each check, asked during the scrape: 0 up, 1 degraded, 2 down",
    labels: ["check"],
    collect: async () => {
      const { checks } = await health.report();
      return checks.map(({ name, status }) => ({ labels: { check: name }, value: levels[status] }));
    },
  });
}

function declareStorageMetrics(metrics: PluginMetrics, storage: Storage): void {
  metrics.gauge({
    name: "commandcenter_storage_size_bytes",
    help: "Size of the database on disk",
    collect: () => storage.sizeBytes(),
  });
  metrics.gauge({
    name: "commandcenter_storage_probe_seconds",
    help: "Duration of a trivial query, asked during the scrape; absent while the database does not answer",
    collect: async () => await storage.probe() / 1000,
  });
  const commits = metrics.counter({
    name: "commandcenter_storage_commits_total",
    help:
      "Commits that changed something, as this agent learned of them: its own, and on PostgreSQL those that " +
      "other agents announced",
  });
  storage.onCommit(() => commits.inc());
}

function declareBusMetrics(metrics: PluginMetrics, bus: Bus): void {
  metrics.gauge({
    name: "commandcenter_bus_connected",
    help: "1 while connected to the bus, else 0",
    collect: () => bus.status().connected ? 1 : 0,
  });
  metrics.counter({
    name: "commandcenter_bus_reconnects_total",
    help: "Times that the connection to the bus came back after a break",
    collect: () => bus.status().reconnects,
  });
  metrics.gauge({
    name: "commandcenter_bus_probe_seconds",
    help: "Round trip to the bus, measured during the scrape; absent while not connected",
    collect: async () => bus.status().connected ? await bus.probe(busProbeTimeoutMs) / 1000 : undefined,
  });
}
