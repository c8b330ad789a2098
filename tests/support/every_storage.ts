import { openStorage } from "../../core/storage/open_storage.ts";
import { storageSettings } from "../../core/storage/settings.ts";
import type { Storage } from "../../core/storage/storage.ts";
import { createDatabase } from "./postgres.ts";
import { testWithPostgres } from "./test_with.ts";

/** Registers a test twice: on a fresh SQLite file and on a fresh PostgreSQL database. */
export function testOnEveryStorage(name: string, run: (storage: Storage) => Promise<void>): void {
  Deno.test(`${name} (sqlite)`, async () => {
    const dataDir = await Deno.makeTempDir();
    try {
      await withStorage("sqlite:", { dataDir, run });
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  });
  testWithPostgres(`${name} (postgres)`, async () => {
    await using database = await createDatabase();
    await withStorage(database.url, { dataDir: Deno.cwd(), run });
  });
}

/** Opens a storage for one piece of work; whatever it warns about fails the test. */
export async function withStorage(
  url: string,
  { dataDir, run }: { dataDir: string; run: (storage: Storage) => Promise<void> },
): Promise<void> {
  const warnings: string[] = [];
  const storage = await openStorage(storageSettings.parse({ url, pool_size: 4 }), {
    dataDir,
    warn: (text) => void warnings.push(text),
  });
  try {
    await run(storage);
  } finally {
    await storage.close();
  }
  // A test server may well be fast and forgetful; and who fills a disk on purpose gets an error for it.
  const surprising = warnings.filter((text) => !/fsync=off|disk is full/.test(text));
  if (surprising.length > 0) throw new Error(`The storage warned: ${surprising.join("; ")}`);
}
