import { expect } from "expect";
import { parseDiskStatistics, parseNetworkDevices } from "./host_traffic.ts";

const networkText = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 892555004   35946    0    0    0     0          0         0  2520927   28744    0    0    0     0       0          0
eth0:1:12       1    0    0    0     0          0         0  34   1    0    0    0     0       0          0
veth1a2b: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0
`;

Deno.test("parseNetworkDevices reads real interfaces", () => {
  expect(parseNetworkDevices(networkText)).toEqual([
    { device: "eth0", bytesIn: 892555004, bytesOut: 2520927 },
    { device: "eth0:1", bytesIn: 12, bytesOut: 34 },
  ]);
});

const diskText = `   7       0 loop0 14 0 34 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 100 0 2000 5 300 0 4000 7 0 0 0 0 0 0 0 0 0
 259       1 nvme0n1p1 90 0 1900 5 290 0 3900 7 0 0 0 0 0 0 0 0 0
   8       0 sda 1 0 2 0 3 0 4 0 0 0 0
   8       1 sda1 1 0 2 0 3 0 4 0 0 0 0
 253       0 dm-0 1 0 2 0 3 0 4 0 0 0 0
 254       0 vda 1 0 10 0 3 0 20 0 0 0 0
 179       0 mmcblk0 1 0 8 0 3 0 9 0 0 0 0
 179       1 mmcblk0p1 1 0 8 0 3 0 9 0 0 0 0
`;

Deno.test("parseDiskStatistics reads whole disks, in bytes", () => {
  expect(parseDiskStatistics(diskText)).toEqual([
    { device: "nvme0n1", bytesIn: 2000 * 512, bytesOut: 4000 * 512 },
    { device: "sda", bytesIn: 1024, bytesOut: 2048 },
    { device: "vda", bytesIn: 5120, bytesOut: 10240 },
    { device: "mmcblk0", bytesIn: 4096, bytesOut: 4608 },
  ]);
});

Deno.test("a line of another shape is an error, not a wrong number", () => {
  expect(() => parseNetworkDevices("\n\neth0: many")).toThrow('Cannot read "many"');
  expect(() => parseDiskStatistics("8 0 sda 1 0")).toThrow("Cannot read");
});
