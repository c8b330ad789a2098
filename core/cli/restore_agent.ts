import type { BackupFile } from "../backup/backup_file.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { loadDataOwners } from "./load_data_owners.ts";
import { loadLocalConfiguration } from "./load_local_configuration.ts";
import { printJson } from "./print_json.ts";
import { ProgressBar } from "./progress_bar.ts";
import { printFields } from "./table.ts";

export interface RestoreCliOptions {
  readonly check?: boolean;
  readonly damaged?: boolean;
}

/** `restore FILE`: checks a backup, and puts it into an empty data folder and database; with --check it only checks. */
export async function restoreAgent(invocation: Invocation<RestoreCliOptions>): Promise<number> {
  const { terminal, options, operands: [path = ""] } = invocation;
  const { BackupFile } = await import("../backup/backup_file.ts");
  await using file = await BackupFile.open(path);
  const owners = await loadDataOwners();
  const faults = await check(file, invocation);
  if (faults.length > 0 && !options.damaged) {
    throw new CliError(`Cannot restore the backup "${path}": ${oneLine(faults[0])}`, {
      exitCode: exitCode.failed,
      hint: "The data was damaged when it was made. Take another one; --damaged takes it as it is.",
    });
  }
  if (!options.check) {
    const configuration = await loadLocalConfiguration(options, terminal.env);
    const { restoreBackup } = await import("../backup/restore_backup.ts");
    process.umask(0o077);
    using bar = new ProgressBar(terminal, "Restoring", { counted: "rows" });
    await restoreBackup(file, {
      configuration,
      owners,
      signal: terminal.interrupted,
      warn: (message) => terminal.note(`warning: ${message}`),
      onProgress: ({ rows, part }) => bar.update({ events: rows, part }),
    });
  }
  const { node, created_at, program_version, tables, keys } = file.manifest;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const summary = {
    file: path,
    node: node.id,
    created_at,
    program_version,
    rows,
    keys,
    restored: !options.check,
  };
  if (options.json) printJson(terminal, { ...summary, faults });
  else {
    printFields(terminal, summary);
    for (const fault of faults) terminal.note(`warning: ${oneLine(fault)}`);
    if (!options.check && !keys) {
      terminal.note("The next start makes a new admin key; revoke the one before it.");
    }
  }
  return exitCode.ok;
}

/** Compares every part with its sum, and follows the chain of events; the faults that are in what was backed up. */
async function check(
  file: BackupFile,
  { terminal }: Invocation<RestoreCliOptions>,
): Promise<readonly string[]> {
  const { inspectRows } = await import("../backup/inspect_rows.ts");
  await file.checkSums(() => terminal.interrupted.throwIfAborted());
  const { faults } = await inspectRows(file, await loadDataOwners());
  return [...new Set([...file.manifest.faults, ...faults])];
}
