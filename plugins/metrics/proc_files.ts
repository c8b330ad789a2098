import { readdir, readFile } from "node:fs/promises";
import { messageOf } from "../../core/errors.ts";

/** What Linux tells in `/proc` and no function of the runtime does. */
export const procFiles = {
  openFiles: "/proc/self/fd",
  network: "/proc/net/dev",
  disks: "/proc/diskstats",
} as const;

/** One of the files of `/proc` that we read. */
export type ProcSource = keyof typeof procFiles;

/**
 * Which of them can be read. They are missing on other systems and in some containers, and Deno reads `/proc`
 * only for a process with all permissions; `problems` then says what the system said.
 */
export async function probeProcFiles(): Promise<{ readable: ReadonlySet<ProcSource>; problems: string[] }> {
  const readable = new Set<ProcSource>();
  const problems: string[] = [];
  for (const [source, path] of Object.entries(procFiles) as [ProcSource, string][]) {
    try {
      await (source === "openFiles" ? readdir(path) : readFile(path));
      readable.add(source);
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  return { readable, problems };
}
