import { readFile } from "node:fs/promises";
import type { PluginMetrics, Sample } from "../../core/metrics.ts";
import { procFiles } from "./proc_files.ts";
import { sharedReading } from "./shared_reading.ts";

/** Bytes that went through one network interface or disk since the host started. */
export interface Traffic {
  readonly device: string;
  /** Received, or read. */
  readonly bytesIn: number;
  /** Sent, or written. */
  readonly bytesOut: number;
}

type Direction = "bytesIn" | "bytesOut";

/** Declares the traffic of the network interfaces, from Linux's `/proc`; without samples where that is not readable. */
export function declareNetworkTraffic(metrics: PluginMetrics, { readable }: { readable: boolean }): void {
  const read = sharedReading(async () =>
    readable ? parseNetworkDevices(await readFile(procFiles.network, "utf8")) : []
  );
  metrics.counter({
    name: "commandcenter_host_network_receive_bytes_total",
    help: "Bytes received, by network interface (Linux); bridges and the ends of containers are left out",
    labels: ["device"],
    collect: async () => samples(await read(), "bytesIn"),
  });
  metrics.counter({
    name: "commandcenter_host_network_transmit_bytes_total",
    help: "Bytes sent, by network interface (Linux); bridges and the ends of containers are left out",
    labels: ["device"],
    collect: async () => samples(await read(), "bytesOut"),
  });
}

/** Declares the traffic of the disks, from Linux's `/proc`; without samples where that is not readable. */
export function declareDiskTraffic(metrics: PluginMetrics, { readable }: { readable: boolean }): void {
  const read = sharedReading(async () =>
    readable ? parseDiskStatistics(await readFile(procFiles.disks, "utf8")) : []
  );
  metrics.counter({
    name: "commandcenter_host_disk_read_bytes_total",
    help: "Bytes read, by disk (Linux)",
    labels: ["device"],
    collect: async () => samples(await read(), "bytesIn"),
  });
  metrics.counter({
    name: "commandcenter_host_disk_written_bytes_total",
    help: "Bytes written, by disk (Linux)",
    labels: ["device"],
    collect: async () => samples(await read(), "bytesOut"),
  });
}

function samples(all: readonly Traffic[], direction: Direction): Sample<"device">[] {
  return all.map((each) => ({ labels: { device: each.device }, value: each[direction] }));
}

/** What passes here is counted at a real interface as well, or never leaves the host. */
const virtualInterface = /^(?:lo|(?:veth|docker|br-|virbr|cni|flannel|cali|ifb|dummy).*)$/;

/** Reads the text of `/proc/net/dev`. Throws on a line of another shape. */
export function parseNetworkDevices(text: string): Traffic[] {
  return text.split("\n").slice(2).filter((line) => line.trim() !== "").map((line) => {
    const colon = line.lastIndexOf(":");
    const fields = line.slice(colon + 1).trim().split(/\s+/);
    return { device: line.slice(0, colon).trim(), bytesIn: bytes(fields[0]), bytesOut: bytes(fields[8]) };
  }).filter(({ device }) => !virtualInterface.test(device));
}

/** Memory, and layers over disks that are counted themselves. */
const virtualDisk = /^(?:loop|ram|zram|dm-|md|sr|fd|nbd)\d/;
const partition = /^(?:(?:sd|vd|xvd|hd)[a-z]+\d+|(?:nvme\d+n\d+|mmcblk\d+)p\d+|mmcblk\d+boot\d+)$/;

/** The kernel counts sectors of this size whatever the disk's own size is. */
const sectorBytes = 512;

/** Reads the text of `/proc/diskstats`. Throws on a line of another shape. */
export function parseDiskStatistics(text: string): Traffic[] {
  return text.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const fields = line.trim().split(/\s+/);
    const device = fields[2] ?? "";
    return {
      device,
      bytesIn: bytes(fields[5]) * sectorBytes,
      bytesOut: bytes(fields[9]) * sectorBytes,
    };
  }).filter(({ device }) => !virtualDisk.test(device) && !partition.test(device));
}

function bytes(field: string | undefined): number {
  if (!/^\d+$/.test(field ?? "")) throw new Error(`Cannot read "${field}": a count was expected`);
  return Number(field);
}
