import type { Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import { ConfigurationError, messageOf } from "../errors.ts";
import type { Migrations, Storage } from "./storage.ts";
import { StorageDamaged } from "./storage_damaged.ts";

/** Runs what is new of one owner's migrations, in the order of their names, in one transaction. */
export async function migrate(
  db: Kysely<unknown>,
  { owner, migrations, kind }: { owner: string; migrations: Migrations; kind: Storage["kind"] },
): Promise<void> {
  const prefix = owner.replaceAll("-", "_");
  const steps = Object.fromEntries(
    // deno-lint-ignore no-explicit-any -- Kysely's own type of a migration's database
    Object.entries(migrations).map(([name, { up }]) => [name, { up: (trx: Kysely<any>) => up(trx, kind) }]),
  );
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(steps) },
    migrationTableName: `${prefix}_migration`,
    migrationLockTableName: `${prefix}_migration_lock`,
  });
  const { error, results } = await migrator.migrateToLatest();
  if (!error) return;
  if (error instanceof StorageDamaged) throw new ConfigurationError(error.advice, { cause: error });
  const failed = results?.find((result) => result.status === "Error")?.migrationName;
  const what = failed ? `migration "${failed}" of "${owner}"` : `migrations of "${owner}"`;
  const unknown = /previously executed migration .* is missing/.test(messageOf(error));
  throw new ConfigurationError(
    [
      `Cannot run the ${what}: ${messageOf(error)}` +
      (unknown ? " (this database was used by a newer version; start that version instead)" : ""),
    ],
    { cause: error },
  );
}
