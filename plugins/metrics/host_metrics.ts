import { statfs } from "node:fs/promises";
import { cpus, freemem, totalmem } from "node:os";
import type { PluginMetrics } from "../../core/metrics.ts";
import { sharedReading } from "./shared_reading.ts";

/** Declares CPU, memory and disk space of the host, which every system and a restricted process can read. */
export function declareHostMetrics(metrics: PluginMetrics, { dataDir }: { dataDir: string }): void {
  declareCpu(metrics);
  declareMemory(metrics);
  declareDiskSpace(metrics, dataDir);
}

const modes = { user: "user", nice: "nice", sys: "system", idle: "idle", irq: "irq" } as const;

function declareCpu(metrics: PluginMetrics): void {
  metrics.gauge({
    name: "commandcenter_host_cpus",
    help: "Logical processors of the host",
    collect: () => cpus().length,
  });
  metrics.counter({
    name: "commandcenter_host_cpu_seconds_total",
    help: "CPU time of the host over all processors, by mode: user, nice, system, idle, irq",
    labels: ["mode"],
    collect: () => {
      const all = cpus();
      return (Object.keys(modes) as (keyof typeof modes)[]).map((mode) => ({
        labels: { mode: modes[mode] },
        value: all.reduce((sum, cpu) => sum + cpu.times[mode], 0) / 1000,
      }));
    },
  });
}

function declareMemory(metrics: PluginMetrics): void {
  metrics.gauge({
    name: "commandcenter_host_memory_size_bytes",
    help: "Memory of the host",
    collect: () => totalmem(),
  });
  metrics.gauge({
    name: "commandcenter_host_memory_available_bytes",
    help: "Memory of the host that programs could get without swapping",
    collect: () => freemem(),
  });
}

function declareDiskSpace(metrics: PluginMetrics, dataDir: string): void {
  const read = sharedReading(() => statfs(dataDir));
  metrics.gauge({
    name: "commandcenter_host_disk_size_bytes",
    help: "Size of the disk that holds the data folder",
    collect: async () => {
      const disk = await read();
      return disk.blocks * disk.bsize;
    },
  });
  metrics.gauge({
    name: "commandcenter_host_disk_available_bytes",
    help: "Free space of the disk that holds the data folder, as far as this user may fill it",
    collect: async () => {
      const disk = await read();
      return disk.bavail * disk.bsize;
    },
  });
}
