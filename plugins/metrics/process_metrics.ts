import { readdir } from "node:fs/promises";
import process from "node:process";
import type { PluginMetrics } from "../../core/metrics.ts";
import { procFiles } from "./proc_files.ts";

/** Declares what the process itself uses: CPU, memory, uptime, and, where `/proc` is readable, open files. */
export function declareProcessMetrics(metrics: PluginMetrics, { readable }: { readable: boolean }): void {
  metrics.counter({
    name: "commandcenter_process_cpu_seconds_total",
    help: "CPU time that the process used, user and system",
    collect: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  metrics.gauge({
    name: "commandcenter_process_resident_memory_bytes",
    help: "Memory that the process holds in RAM",
    collect: () => process.memoryUsage().rss,
  });
  metrics.gauge({
    name: "commandcenter_process_heap_used_bytes",
    help: "JavaScript heap in use",
    collect: () => process.memoryUsage().heapUsed,
  });
  metrics.gauge({
    name: "commandcenter_process_start_time_seconds",
    help: "When the process started, in seconds since 1970",
    collect: () => performance.timeOrigin / 1000,
  });
  metrics.gauge({
    name: "commandcenter_process_uptime_seconds",
    help: "Time since the process started",
    collect: () => performance.now() / 1000,
  });
  metrics.gauge({
    name: "commandcenter_process_open_fds",
    help: "Open files, sockets and pipes of the process (Linux)",
    collect: async () => readable ? (await readdir(procFiles.openFiles)).length : undefined,
  });
}
