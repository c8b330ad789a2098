import type { Host } from "../../../core/plugin.ts";
import { checkAtStart } from "./check_at_start.ts";
import { IntegrityStore } from "./integrity_store.ts";
import type { LogCondition } from "./log_condition.ts";
import { noteFileOf, noteHead, readNotedHead } from "./noted_head.ts";
import { addVerifyRoute } from "./verify_route.ts";
import { compareWithNote } from "./verify_log.ts";

/** Looks at the log before anything is built on it, and lets it be verified; `condition` tells `/health` of damage. */
export async function addIntegrity(host: Host, condition: LogCondition): Promise<void> {
  const { storage, log } = host;
  await checkAtStart({ storage, condition, log });
  await followHead(host, condition);
  host.check("log", () => condition.health(), { required: true });
  addVerifyRoute(host.http, { storage, condition, stopping: host.signal });
}

/**
 * What SQLite cannot read of its write-ahead log it drops without a word, and a backup may be older than one thinks: the
 * log is whole then, but shorter. A note that does not fit stays until somebody has seen it.
 */
async function followHead({ storage, node, run }: Host, condition: LogCondition): Promise<void> {
  const store = new IntegrityStore(storage);
  const file = noteFileOf(node.dataDir);
  const noted = await readNotedHead(file);
  const difference = noted && await compareWithNote(store, noted);
  if (difference === undefined || difference === "removed") {
    run("head", (signal) => noteHead(store, file, signal));
  } else condition.fault(`${difference} (if it was restored on purpose, remove "${file}" and start again)`);
}
