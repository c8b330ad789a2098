import { isAbsolute, normalize } from "node:path";
import { z } from "zod";
import { durationMs, sizeBytes } from "../units.ts";
import { isProgramName } from "./find_program.ts";

const absolutePath = z.string().refine((path) => isAbsolute(path) && normalize(path) === path, {
  message: "expected an absolute path without . and ..",
});

const programName = z.string().refine(isProgramName, {
  message: "expected the name of a program, such as git",
});

/** The `exec:` section of the configuration. */
export const execSettings = z.strictObject({
  path: z.array(absolutePath).min(1).max(32).default(["/usr/local/bin", "/usr/bin", "/bin"])
    .describe(
      "Folders in which the programs that plugins name are looked for, in this order; also their PATH",
    ),
  programs: z.record(programName, absolutePath).default({})
    .describe("Where a program lies that is in none of them, by its name"),
  concurrency: z.int().min(1).max(1000).default(16).describe("Programs that run at once, of all plugins"),
  waiting: z.int().min(0).max(100_000).default(1000)
    .describe("Programs that may wait for their turn; the next fails"),
  timeout: durationMs({ min: 10, max: 86_400_000 }).prefault("5m")
    .describe("Longest time for one program, unless the plugin knows better"),
  kill_after: durationMs({ min: 0, max: 60_000 }).prefault("5s")
    .describe("Time between the request to end (SIGTERM) and the end by force (SIGKILL)"),
  max_output: sizeBytes({ min: 1024, max: 256 * 1024 ** 2 }).prefault("1mb")
    .describe("What is kept of each of standard output and standard error, unless the plugin knows better"),
});

/** The `exec:` section, parsed; durations in milliseconds, sizes in bytes. */
export type ExecSettings = z.output<typeof execSettings>;
