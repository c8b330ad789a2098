import { mkdir } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { ConfigurationError, messageOf } from "../errors.ts";
import { openPostgres } from "./postgres.ts";
import type { StorageSettings } from "./settings.ts";
import { openSqlite } from "./sqlite.ts";
import type { Storage, StorageOptions } from "./storage.ts";
import { StorageDamaged } from "./storage_damaged.ts";

/** How long a database that is still starting is waited for, in milliseconds. */
const patienceMs = 30_000;

/** Opens the storage that `settings.url` names. Rejects with ConfigurationError, or with a plain
 * Error where the database is only away; neither holds the password. */
export async function openStorage(settings: StorageSettings, options: StorageOptions): Promise<Storage> {
  const shown = withoutPassword(settings.url);
  try {
    if (!settings.url.startsWith("sqlite:")) return await openPatiently(settings, options);
    const path = sqlitePath(settings.url, options.dataDir);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return openSqlite(path, { warn: options.warn, compactBelowBytes: settings.compact_below });
  } catch (error) {
    if (error instanceof StorageDamaged) throw new ConfigurationError(error.advice, { cause: error });
    const text = `Cannot open the storage "${shown}": ${messageOf(error)}`;
    // A database that is away may come back: no fault of the configuration, so that a service manager tries again.
    throw isStarting(error)
      ? new Error(text, { cause: error })
      : new ConfigurationError([text], { cause: error });
  }
}

/** A database in the next container often starts a little later than we do. */
async function openPatiently(settings: StorageSettings, options: StorageOptions): Promise<Storage> {
  const until = Date.now() + patienceMs;
  for (;;) {
    try {
      return await openPostgres(settings, options);
    } catch (error) {
      if (Date.now() > until || !isStarting(error)) throw error;
      options.warn("PostgreSQL does not answer yet; trying again", { error: messageOf(error) });
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** Refused or not resolvable, or "the database system is starting up" (57P03); a wrong password will not mend itself. */
function isStarting(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code !== undefined &&
    ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "CONNECT_TIMEOUT", "ECONNRESET", "57P03"]
      .includes(code);
}

/** Absolute path of the file that a `sqlite:` URL names. */
export function sqlitePath(url: string, dataDir: string): string {
  const path = url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "");
  if (path === "") return join(dataDir, "commandcenter.db");
  return isAbsolute(path) ? path : join(dataDir, path);
}

/** The address as it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/^(postgres(?:ql)?:\/\/[^:/@]*):[^@]*@/, "$1:[redacted]@");
}
