import { keyMigrations } from "../http/key_store.ts";
import { jobMigrations } from "../jobs/job_tables.ts";
import type { Plugin } from "../plugin.ts";
import { scheduleMigrations } from "../schedules/schedule_tables.ts";
import type { Migrations } from "../storage/storage.ts";
import type { PluginBackup } from "./plugin_backup.ts";

/** Whose tables these are: a part of the kernel, or a plugin. */
export interface DataOwner extends PluginBackup {
  readonly name: string;
  readonly migrations: Migrations;
}

/** Everybody who may have tables in the database of an agent. */
export function dataOwners(plugins: readonly Plugin[]): DataOwner[] {
  return [
    { name: "core", migrations: keyMigrations, keyFiles: ["admin.key"] },
    { name: "jobs", migrations: jobMigrations },
    { name: "schedules", migrations: scheduleMigrations },
    ...plugins.flatMap(({ name, migrations, backup }) => migrations ? [{ name, migrations, ...backup }] : []),
  ];
}

/** What the names of an owner's tables begin with. */
export function tablePrefix({ name }: { readonly name: string }): string {
  return `${name.replaceAll("-", "_")}_`;
}

/** The table in which Kysely keeps which migrations of an owner were run. */
export function migrationTable(owner: { readonly name: string }): string {
  return `${tablePrefix(owner)}migration`;
}
