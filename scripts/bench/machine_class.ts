import { cpus, totalmem } from "node:os";
import process from "node:process";

/** What the figures depend on, without anything that names the machine itself. */
export interface MachineClass {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly os: string;
  readonly deno: string;
  readonly sqlite: string;
  /** Programs that wanted to run in the last minute, before the bench began; NaN where the system does not say. */
  readonly load_average: number;
}

/** Describes the machine that the figures come from. */
export function machineClass(): MachineClass {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memory_gib: Math.round(totalmem() / 1024 ** 3),
    os: `${Deno.build.os} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    sqlite: process.versions.sqlite ?? "unknown",
    load_average: Deno.build.os === "windows" ? NaN : Deno.loadavg()[0]!,
  };
}
