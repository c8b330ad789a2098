import { expect } from "expect";
import process from "node:process";
import { Metrics } from "../../core/metrics.ts";
import { declareDiskTraffic, declareNetworkTraffic } from "./host_traffic.ts";
import { probeProcFiles } from "./proc_files.ts";
import { declareProcessMetrics } from "./process_metrics.ts";

Deno.test({
  name: "a process without all permissions runs without what /proc tells",
  ignore: process.platform !== "linux",
  permissions: { read: true, sys: true, run: false },
  async fn() {
    const { readable, problems } = await probeProcFiles();
    expect([...readable]).toEqual([]);
    expect(problems).toHaveLength(3);
    expect(problems[0]).toContain("/proc/self/fd");
    const metrics = new Metrics();
    const plugin = metrics.forPlugin("metrics");
    declareProcessMetrics(plugin, { readable: false });
    declareNetworkTraffic(plugin, { readable: false });
    declareDiskTraffic(plugin, { readable: false });
    const snapshot = await metrics.snapshot();
    const samples = (name: string) =>
      snapshot.find((metric) => metric.name === `commandcenter_${name}`)?.samples;
    expect(samples("process_open_fds")).toEqual([]);
    expect(samples("host_network_receive_bytes_total")).toEqual([]);
    expect(samples("host_disk_written_bytes_total")).toEqual([]);
    expect(samples("process_resident_memory_bytes")).toHaveLength(1);
    expect(samples("metrics_refused_total")).toEqual([]);
  },
});

Deno.test({
  name: "with all permissions everything in /proc can be read",
  ignore: process.platform !== "linux",
  async fn() {
    expect(await probeProcFiles()).toEqual({
      readable: new Set(["openFiles", "network", "disks"]),
      problems: [],
    });
  },
});
