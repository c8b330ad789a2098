import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemClock, timestamp } from "../clock.ts";
import type { Configuration } from "../config/load_config.ts";
import { ConfigurationError } from "../errors.ts";
import { version } from "../node.ts";
import { BackupFile } from "./backup_file.ts";
import { type BackupManifest, configurationPath, filePartPath, formatVersion } from "./backup_manifest.ts";
import { BackupWriter } from "./backup_writer.ts";
import { type DataOwner, migrationTable, tablePrefix } from "./data_owners.ts";
import { inspectRows } from "./inspect_rows.ts";
import { openSnapshot, type Snapshot } from "./snapshot.ts";

export interface CreateBackupOptions {
  readonly configuration: Configuration;
  readonly owners: readonly DataOwner[];
  /** Leave out the keys of the agent, and its configuration, which may hold passwords. */
  readonly withoutKeys: boolean;
  /** Make it although the data is damaged. */
  readonly damaged: boolean;
  readonly signal: AbortSignal;
  /** Where the storage tells what an operator should know. */
  readonly warn: (message: string) => void;
  readonly onProgress: (progress: BackupProgress) => void;
}

/** How far the work has come. */
export interface BackupProgress {
  readonly rows: number;
  /** 0 to 1. */
  readonly part: number;
}

/** What was made. */
export interface CreatedBackup {
  readonly manifest: BackupManifest;
  readonly sizeBytes: number;
}

/**
 * Writes one moment of an agent's data to the file `path`, reads that again, and only then gives it its name. The agent may
 * run meanwhile. Rejects where the data is damaged, unless that is allowed, and where something has that name already.
 */
export async function createBackup(path: string, options: CreateBackupOptions): Promise<CreatedBackup> {
  const { configuration: { node, storage }, signal, warn } = options;
  const files = await readFiles(options);
  const { id, isKept } = await nodeIdOf(options.configuration);
  await using writer = await BackupWriter.open(path);
  for (const [name, content] of files) await writer.add(name, content);
  const read = await (async () => {
    await using snapshot = await openSnapshot(storage, { dataDir: node.dataDir, warn });
    const createdAt = timestamp(systemClock);
    return { createdAt, storage: snapshot.kind, ...await writeTables(writer, snapshot, options) };
  })();
  signal.throwIfAborted();
  const { createdAt, ...rest } = read;
  const draft = {
    format: "commandcenter-backup" as const,
    format_version: formatVersion,
    program_version: version,
    created_at: createdAt,
    node: { id, name: node.name },
    node_id_kept: isKept,
    keys: !options.withoutKeys,
    ...rest,
    summaries: {},
  };
  return await finish(writer, { path, draft, options });
}

type Draft = Omit<BackupManifest, "parts">;

/** Looks through what was written before the manifest says so, and at the whole file before it gets its name. */
async function finish(
  writer: BackupWriter,
  { path, draft, options }: { path: string; draft: Draft; options: CreateBackupOptions },
): Promise<CreatedBackup> {
  await writer.close(draft);
  await using first = await BackupFile.open(writer.temporary);
  const { summaries, faults } = await inspectRows(first, options.owners);
  options.signal.throwIfAborted();
  const found = { ...draft, summaries, faults: [...draft.faults, ...faults] };
  if (found.faults.length > 0 && !options.damaged) {
    throw new Error(
      `Cannot back up "${options.configuration.storage.url.split(":")[0]}": the data is damaged: ${
        found.faults[0]
      }. ` +
        "Keep the last backup that is whole; --damaged makes one of what is there all the same",
    );
  }
  await writer.close(found);
  await using whole = await BackupFile.open(writer.temporary);
  await whole.checkSums(() => options.signal.throwIfAborted());
  const { size } = await stat(writer.temporary);
  if (!await writer.publish()) {
    throw new Error(`Cannot write the backup "${path}": the file is there already`);
  }
  return { manifest: whole.manifest, sizeBytes: size };
}

async function writeTables(
  writer: BackupWriter,
  snapshot: Snapshot,
  { owners, signal, onProgress }: CreateBackupOptions,
): Promise<Pick<Draft, "owners" | "tables" | "left_out" | "faults">> {
  const here = owners.filter((owner) => snapshot.tables.includes(migrationTable(owner)));
  if (here.length === 0) {
    throw new ConfigurationError([
      "Cannot back up the database: no agent has ever used it; is storage.url right?",
    ]);
  }
  const ours = snapshot.tables.filter((table) => here.some((owner) => table.startsWith(tablePrefix(owner))));
  const total = await snapshot.countRows(ours);
  const tables: BackupManifest["tables"] = [];
  let rows = 0;
  for (const name of ours) {
    const written = await writer.addTable(name, snapshot.lines(name), (more) => {
      signal.throwIfAborted();
      rows += more;
      onProgress({ rows, part: rows / Math.max(total, rows, 1) });
    });
    tables.push({ name, rows: written, byte_columns: [...await snapshot.byteColumns(name)] });
  }
  const migrated: BackupManifest["owners"] = [];
  for (const owner of here) {
    migrated.push({ name: owner.name, migrations: await migrationsOf(snapshot, owner) });
  }
  return {
    owners: migrated,
    tables,
    // A database of PostgreSQL may be shared with other programs, whose tables are none of ours.
    left_out: snapshot.kind === "sqlite" ? snapshot.tables.filter((table) => !ours.includes(table)) : [],
    faults: [...snapshot.faults],
  };
}

async function migrationsOf(snapshot: Snapshot, owner: DataOwner): Promise<string[]> {
  const names: string[] = [];
  for await (const page of snapshot.lines(migrationTable(owner))) {
    for (const line of page) names.push(JSON.parse(line).name);
  }
  return names.toSorted();
}

/** Read before the snapshot is taken: a key that is made later is made by an agent that makes it anew. */
async function readFiles(
  { configuration, owners, withoutKeys }: CreateBackupOptions,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const wanted = withoutKeys ? [] : owners.flatMap(({ keyFiles = [] }) => keyFiles);
  for (const name of ["node.id", ...wanted]) {
    const content = await readIfThere(join(configuration.node.dataDir, name));
    if (content) files.set(filePartPath(name), content);
  }
  const settings = withoutKeys ? undefined : await readIfThere(configuration.file);
  if (settings) files.set(configurationPath, settings);
  return files;
}

async function nodeIdOf({ node }: Configuration): Promise<{ id: string; isKept: boolean }> {
  if (node.id !== undefined) return { id: node.id, isKept: false };
  const path = join(node.dataDir, "node.id");
  const kept = await readIfThere(path);
  if (!kept) {
    throw new ConfigurationError([
      `Cannot back up "${node.dataDir}": there is no node.id; has an agent with this configuration ever run?`,
    ]);
  }
  return { id: new TextDecoder().decode(kept).trim(), isKept: true };
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
