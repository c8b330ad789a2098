import { z } from "zod";
import { sizeBytes } from "../units.ts";

/** The `storage:` section of the configuration. */
export const storageSettings = z.strictObject({
  url: z.string().default("sqlite:").describe(
    "`sqlite:` (a file in the data folder), `sqlite:PATH`, or `postgres://user:password@host:5432/database`",
  ).refine(isStorageUrl, { message: 'expected "sqlite:", "sqlite:PATH" or "postgres://host/database"' }),
  pool_size: z.int().min(2).max(100).default(10).describe("Connections to PostgreSQL at the most"),
  compact_below: sizeBytes().prefault("64mb").describe(
    "A SQLite file of an older agent up to this size is rewritten once at the start, so that from then on it gets smaller " +
      "when events are removed",
  ),
});

/** The `storage:` section, parsed. */
export type StorageSettings = z.output<typeof storageSettings>;

function isStorageUrl(url: string): boolean {
  if (url.startsWith("sqlite:")) return true;
  if (!/^postgres(ql)?:\/\//.test(url)) return false;
  return URL.canParse(url) && new URL(url).pathname.length > 1;
}
