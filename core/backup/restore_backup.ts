import { mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Configuration } from "../config/load_config.ts";
import { createFileAtomically } from "../data_dir.ts";
import { ConfigurationError } from "../errors.ts";
import { lockDataDir } from "../node_lock.ts";
import { sqlitePath } from "../storage/open_storage.ts";
import type { BackupFile } from "./backup_file.ts";
import { type BackupManifest, filePartPath } from "./backup_manifest.ts";
import type { BackupProgress } from "./create_backup.ts";
import { type DataOwner, tablePrefix } from "./data_owners.ts";
import { isHalfRestored, markHalfRestored, unmarkHalfRestored } from "./half_restored.ts";
import { openRestoreTarget } from "./restore_target.ts";

/** What may lie in a folder that counts as empty: the lock, and what a file system puts at its top. */
const lockFiles = ["lock", "lock.pid", "lost+found"];

export interface RestoreOptions {
  readonly configuration: Configuration;
  readonly owners: readonly DataOwner[];
  readonly signal: AbortSignal;
  /** Where the storage tells what an operator should know. */
  readonly warn: (message: string) => void;
  readonly onProgress: (progress: BackupProgress) => void;
}

/**
 * Puts a checked backup into the empty data folder and the empty database of this configuration, all of it or nothing.
 * Rejects with ConfigurationError where they are not empty, are in use, or belong to another node.
 */
export async function restoreBackup(file: BackupFile, options: RestoreOptions): Promise<void> {
  const { configuration: { node, storage }, signal, warn, onProgress } = options;
  const { manifest } = file;
  const owners = ownersOf(manifest, options.owners);
  demandSameNode(manifest, node.id);
  const { dataDir } = node;
  await using _lock = await lockDataDir(dataDir);
  await using target = await openRestoreTarget(storage, { dataDir, warn, owners: options.owners });
  const keyFiles = ["node.id", ...options.owners.flatMap((owner) => owner.keyFiles ?? [])];
  if (isHalfRestored(dataDir)) {
    await removeRest(dataDir, [...keyFiles, ...databaseFiles(options.configuration)]);
  }
  await demandEmpty(dataDir);
  await target.prepare();
  await markHalfRestored(dataDir);
  let isPlacing = false;
  try {
    let rows = 0;
    const total = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    const onRows = (more: number) => {
      signal.throwIfAborted();
      rows += more;
      onProgress({ rows, part: rows / Math.max(total, 1) });
    };
    const lines = (table: string) => file.lines(table);
    await target.fill({ manifest, owners, lines, onRows }, async () => {
      isPlacing = true;
      for (const name of keyFiles) await placeFile(file, { name, dataDir });
    });
    await unmarkHalfRestored(dataDir);
  } catch (error) {
    // Further on, the mark stays: the next try knows what to remove.
    if (!isPlacing) await unmarkHalfRestored(dataDir);
    throw error;
  }
}

/** Those who had tables, each with the migrations that had been run. */
function ownersOf(manifest: BackupManifest, known: readonly DataOwner[]): DataOwner[] {
  const newer = (what: string) =>
    new ConfigurationError([
      `Cannot restore the backup: ${what}, which this program (made for other data) does not know; ` +
      `use version ${manifest.program_version} of CommandCenter, or a newer one`,
    ]);
  const owners = manifest.owners.map(({ name, migrations }) => {
    const owner = known.find((each) => each.name === name);
    if (!owner) throw newer(`it holds tables of "${name}"`);
    const missing = migrations.find((migration) => !(migration in owner.migrations));
    if (missing) throw newer(`its tables of "${name}" are of the version "${missing}"`);
    const run = Object.entries(owner.migrations).filter(([migration]) => migrations.includes(migration));
    return { ...owner, migrations: Object.fromEntries(run) };
  });
  const stray = manifest.tables.find(({ name }) =>
    !owners.some((owner) => name.startsWith(tablePrefix(owner)))
  );
  if (stray) throw newer(`it holds a table "${stray.name}"`);
  return owners;
}

/** Another id would make the restored agent a stranger to its own events. */
function demandSameNode(
  { node, node_id_kept: isKept }: BackupManifest,
  configured: string | undefined,
): void {
  if (configured === node.id || (configured === undefined && isKept)) return;
  const here = configured === undefined
    ? "node.id is not configured"
    : `node.id is configured as "${configured}"`;
  throw new ConfigurationError([
    `Cannot restore the backup: it is of the node "${node.id}", and here ${here}; set node.id: ${node.id}`,
  ]);
}

async function demandEmpty(dataDir: string): Promise<void> {
  const found = (await readdir(dataDir)).filter((name) => !lockFiles.includes(name));
  if (found.length === 0) return;
  throw new ConfigurationError([
    `Cannot restore into "${dataDir}": it holds ${found[0]} already; ` +
    "move the folder away, or set node.data_dir to an empty one",
  ]);
}

async function placeFile(
  file: BackupFile,
  { name, dataDir }: { name: string; dataDir: string },
): Promise<void> {
  if (!file.has(filePartPath(name))) return;
  const path = join(dataDir, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const text = (await file.read(filePartPath(name))).toString("utf8");
  if (!await createFileAtomically(path, text)) {
    throw new Error(`Cannot restore "${path}": it is there already`);
  }
}

function databaseFiles({ node, storage }: Configuration): string[] {
  if (!storage.url.startsWith("sqlite:")) return [];
  const path = sqlitePath(storage.url, node.dataDir);
  return [path, `${path}.restoring`].flatMap((
    each,
  ) => [each, `${each}-wal`, `${each}-shm`, `${each}-journal`]);
}

/** Takes away what an interrupted restore has put there, and nothing else: it had begun in an empty folder. */
async function removeRest(dataDir: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = resolve(dataDir, name);
    if (!path.startsWith(`${dataDir}/`)) continue; // a database elsewhere may be another one by now
    await rm(path, { force: true });
    const folder = dirname(path);
    if (folder !== dataDir && (await readdir(folder).catch(() => ["?"])).length === 0) {
      await rm(folder, { recursive: true });
    }
  }
  await unmarkHalfRestored(dataDir);
}
