import { definePlugin } from "../../core/plugin.ts";
import { metricsConfig } from "./config.ts";
import { measureEventLoopLag } from "./event_loop_lag.ts";
import { declareHostMetrics } from "./host_metrics.ts";
import { declareDiskTraffic, declareNetworkTraffic } from "./host_traffic.ts";
import { probeProcFiles } from "./proc_files.ts";
import { declareProcessMetrics } from "./process_metrics.ts";
import { addRoutes } from "./routes.ts";

/** Measures the process and its host, and shows the metrics of all plugins. */
export default definePlugin({
  name: "metrics",
  summary: "Metrics for Prometheus and as JSON: process, host, HTTP, bus, storage and every plugin",
  config: metricsConfig,
  prefixes: ["/metrics", "/api/metrics"],
  async start({ metrics, node, config, clock, log, http, onStop }) {
    const { readable, problems } = await probeProcFiles();
    if (problems.length > 0) log.info("some numbers of process and host are left out", { problems });
    metrics.gauge({
      name: "commandcenter_build_info",
      help: "Always 1; the version of the program is its label",
      labels: ["version"],
    }).labels({ version: node.version }).set(1);
    declareProcessMetrics(metrics, { readable: readable.has("openFiles") });
    if (config.host) {
      declareHostMetrics(metrics, { dataDir: node.dataDir });
      declareNetworkTraffic(metrics, { readable: readable.has("network") });
      declareDiskTraffic(metrics, { readable: readable.has("disks") });
    }
    onStop(measureEventLoopLag(metrics, { clock, intervalMs: config.event_loop_interval }));
    addRoutes(http, metrics.all);
  },
});
