import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pid } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { prepareDataDir } from "./data_dir.ts";
import { ConfigurationError } from "./errors.ts";

/** How long a second agent waits; longer than the first needs to write its number beside the lock. */
const waitMs = 300;

/** Locks of this process: a connection that were collected as garbage would give its lock away. */
const held = new Set<DatabaseSync>();

/**
 * Takes the data folder for this process, until disposed or dead. Rejects with ConfigurationError, naming the other's
 * process number, where another agent has it.
 *
 * The lock is that of an open transaction on an empty SQLite file. The operating system drops it with the process,
 * however that ends, so there is no stale lock to recognise; the number in `lock.pid` is only for the message.
 */
export async function lockDataDir(dataDir: string): Promise<AsyncDisposable> {
  await prepareDataDir(dataDir);
  const numberFile = join(dataDir, "lock.pid");
  const database = open(join(dataDir, "lock"));
  try {
    database.exec("pragma journal_mode = memory; begin immediate"); // nothing is written: no journal file
  } catch (error) {
    database.close();
    if (!/locked/.test(String(error))) throw unusable(dataDir, error);
    throw await inUse(dataDir, numberFile);
  }
  held.add(database);
  const release = async (): Promise<void> => {
    if (!held.delete(database)) return;
    try {
      await rm(numberFile, { force: true });
    } finally {
      database.close();
    }
  };
  try {
    await writeFile(numberFile, `${pid}\n`, { mode: 0o600 });
  } catch (error) {
    await release();
    throw unusable(dataDir, error);
  }
  return { [Symbol.asyncDispose]: release };
}

function open(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: waitMs });
  } catch (error) {
    throw unusable(path, error);
  }
}

async function inUse(dataDir: string, numberFile: string): Promise<ConfigurationError> {
  const number = await readFile(numberFile, "utf8").then((text) => text.trim(), () => "");
  const other = /^\d+$/.test(number) ? `another agent, process ${number},` : "another agent";
  return new ConfigurationError([
    `Cannot use the data folder "${dataDir}": ${other} runs on it; stop that one, or give this one a node.data_dir of its own`,
  ]);
}

function unusable(path: string, cause: unknown): ConfigurationError {
  const state = cause instanceof Error ? cause.message : String(cause);
  return new ConfigurationError([`Cannot lock "${path}": ${state}; the folder has to be writable`], {
    cause,
  });
}
