import { ConfigurationError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/log.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { Finding } from "./finding.ts";
import { IntegrityStore, unlessDamaged } from "./integrity_store.ts";
import type { LogCondition } from "./log_condition.ts";
import { verifyLog } from "./verify_log.ts";

/** Events at the end of the log that are looked at before it takes more. */
const lastEvents = 1000;
const noEnd =
  "Cannot start the event log: the row that says where it ends is missing or damaged; restore a backup of " +
  "the database, or move it away, start anew and import an export";

interface StartCheck {
  readonly storage: Storage;
  readonly condition: LogCondition;
  readonly log: Logger;
}

/**
 * Looks at the structure of a SQLite file and at the end of the log. Nothing is built on a damaged end; what is wrong
 * elsewhere is told.
 */
export async function checkAtStart({ storage, condition, log }: StartCheck): Promise<void> {
  const store = new IntegrityStore(storage);
  const head = await unlessDamaged(() => store.head());
  if (!head) throw new ConfigurationError([noEnd]);
  const started = performance.now();
  const { findings, findingCount, events } = await verifyLog(storage, {
    from: Math.max(1, head.seq - lastEvents + 1),
    signal: new AbortController().signal,
  });
  log.debug("looked at the end of the log", { events, took_ms: Math.round(performance.now() - started) });
  const atEnd = findings.find((finding) => isAtEnd(finding, head.seq));
  if (atEnd) condition.breakEnd(atEnd.detail);
  else if (findingCount > findings.length) {
    condition.breakEnd(`${findingCount} faults in its last ${events} events`);
  } else if (findings[0]) condition.fault(findings[0].detail);
}

/** The last event is what the next one would be chained to; a file that is put together wrongly gets worse by writing. */
function isAtEnd({ kind, toSeq }: Finding, end: number): boolean {
  return kind === "head_wrong" || kind === "file_damaged" || toSeq >= end;
}
