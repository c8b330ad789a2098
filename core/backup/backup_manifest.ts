import { z } from "zod";

/** Version of the format; a program reads its own and earlier ones. */
export const formatVersion = 1;
/** Name of the part that says what the backup is. */
export const manifestPath = "manifest.json";
/** One line for each other part, as `sha256sum --check` reads it. */
export const sumsPath = "SHA256SUMS";
/** The configuration file, to be looked up; it is never put in place. */
export const configurationPath = "projects.yaml";

const count = z.int().min(0);

/** Says what it is before anything else is looked at. */
export const manifestStart = z.object({ format: z.literal("commandcenter-backup"), format_version: z.int() });

const part = z.object({ path: z.string(), size_bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** `manifest.json`: what a backup is of, and what it holds. */
export const backupManifest = manifestStart.extend({
  program_version: z.string(),
  /** The moment that it shows, RFC 3339. */
  created_at: z.string(),
  node: z.object({ id: z.string(), name: z.string() }),
  /** Whether the id was made by the agent, and not configured. */
  node_id_kept: z.boolean(),
  storage: z.enum(["sqlite", "postgres"]),
  /** Whether it holds the keys of the agent. */
  keys: z.boolean(),
  owners: z.array(z.object({ name: z.string(), migrations: z.array(z.string()) })),
  tables: z.array(z.object({
    name: z.string().regex(/^[a-z0-9_]+$/),
    rows: count,
    /** Columns of bytes, which stand as `\x` and hexadecimal digits. */
    byte_columns: z.array(z.string()),
  })),
  /** Tables that no part of this program knows. */
  left_out: z.array(z.string()),
  /** What each owner found in its rows, such as the head of the event log. */
  summaries: z.record(z.string(), z.record(z.string(), z.unknown())),
  /** Faults that were there when it was made. */
  faults: z.array(z.string()),
  parts: z.array(part),
});

/** `manifest.json`, parsed. */
export type BackupManifest = z.output<typeof backupManifest>;
/** One part of the file: path, size and SHA-256. */
export type BackupPart = z.output<typeof part>;

/** The parts of a table are numbered from 1. */
export function tablePartPath(table: string, number: number): string {
  return `tables/${table}/${String(number).padStart(8, "0")}.ndjson.gz`;
}

/** Where a file of the data folder lies. */
export function filePartPath(file: string): string {
  return `files/${file}`;
}
