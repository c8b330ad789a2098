import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CreatedBackup } from "../backup/create_backup.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { loadLocalConfiguration } from "./load_local_configuration.ts";
import { loadDataOwners } from "./load_data_owners.ts";
import { printJson } from "./print_json.ts";
import { ProgressBar } from "./progress_bar.ts";
import { printFields } from "./table.ts";

export interface BackupOptions {
  /** False with --no-keys. */
  readonly keys: boolean;
  readonly damaged?: boolean;
}

/** `backup [FILE|FOLDER]`: writes all that the agent of this host keeps to one file, whether it runs or not. */
export async function backupAgent(
  { terminal, options, operands: [target = "."] }: Invocation<BackupOptions>,
): Promise<
  number
> {
  const configuration = await loadLocalConfiguration(options, terminal.env);
  const { createBackup } = await import("../backup/create_backup.ts");
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  const named = configuration.node.name.replace(/[^\w.-]/g, "_");
  const moment = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const path = isFolder ? join(target, `commandcenter-${named}-${moment}.tar`) : target;
  if (existsSync(path)) {
    throw new CliError(`Cannot write the backup "${path}": the file is there already`, {
      exitCode: exitCode.usage,
      hint: "Name another file, or a folder: then it is named by itself.",
    });
  }
  using bar = new ProgressBar(terminal, "Backing up", { counted: "rows" });
  const created = await createBackup(resolve(path), {
    configuration,
    owners: await loadDataOwners(),
    withoutKeys: !options.keys,
    damaged: options.damaged ?? false,
    signal: terminal.interrupted,
    warn: (message) => terminal.note(`warning: ${message}`),
    onProgress: ({ rows, part }) => bar.update({ events: rows, part }),
  });
  bar[Symbol.dispose]();
  const summary = summaryOf(created, path);
  if (options.json) printJson(terminal, summary);
  else {
    const { head, faults, left_out: leftOut, ...shown } = summary;
    printFields(terminal, { ...shown, ...(head ? { head } : {}) });
    if (summary.keys) {
      terminal.note("The file holds the keys of this agent: who can read it can act as the agent.");
    }
    for (const fault of faults) terminal.note(`warning: ${oneLine(fault)}`);
    if (leftOut.length > 0) {
      terminal.note(`warning: left out, as nobody here knows them: ${leftOut.join(", ")}`);
    }
  }
  return exitCode.ok;
}

function summaryOf({ manifest, sizeBytes }: CreatedBackup, file: string) {
  const head = manifest.summaries["event-store"]?.head as { seq: number; hash: string } | null | undefined;
  return {
    file,
    size_bytes: sizeBytes,
    node: manifest.node.id,
    created_at: manifest.created_at,
    rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
    head: head ? `${head.seq}:${head.hash}` : undefined,
    keys: manifest.keys,
    faults: manifest.faults,
    left_out: manifest.left_out,
  };
}
