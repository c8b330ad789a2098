import { DatabaseSync, type StatementSync } from "node:sqlite";
import { newId } from "../../core/clock.ts";
import { openSqlite } from "../../core/storage/sqlite.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import { firstLink, sealAfter } from "../../plugins/event-store/log/event_hash.ts";
import { eventColumns, type EventContent, type EventRow } from "../../plugins/event-store/tables.ts";

/** What every event of the bench carries. */
export const samplePayload = {
  order: 4711,
  customer: "Ada Lovelace",
  items: [{ sku: "analytical-engine", count: 1 }, { sku: "punch-cards", count: 250 }],
  note: "deliver on a weekday, before noon",
};

/** The event-store's own table and indexes, made by its own migrations, under the bare driver. */
export class EventTable implements Disposable {
  readonly database: DatabaseSync;
  readonly #insert: StatementSync;

  private constructor(path: string) {
    this.database = new DatabaseSync(path);
    // As core/storage/sqlite.ts sets them; the journal mode stays with the file.
    this.database.exec("pragma synchronous = full; pragma foreign_keys = on; pragma busy_timeout = 5000");
    this.database.exec(
      "pragma cache_size = -65536; pragma temp_store = memory; pragma mmap_size = 268435456",
    );
    const places = eventColumns.map(() => "?").join(", ");
    this.#insert = this.database.prepare(
      `insert into event_store_event (${eventColumns.join(", ")}) values (${places})`,
    );
  }

  /** Makes the file with its tables, or opens it where it is there already. */
  static async open(path: string): Promise<EventTable> {
    const storage = openSqlite(path);
    await storage.migrate("event-store", migrations);
    await storage.close();
    return new EventTable(path);
  }

  /** One transaction, on disk when it returns. */
  append(rows: readonly EventRow[]): void {
    this.database.exec("begin immediate");
    for (const row of rows) this.#insert.run(...eventColumns.map((column) => row[column]));
    this.database.exec("commit");
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}

export interface RowOptions {
  /** Sequence behind which they go on. */
  readonly after: number;
  readonly nodeId: string;
  /** Default: the same subject for all. */
  readonly subjectOf?: (seq: number) => string;
  /** Hash of the event `after`; default: as if there were none. */
  readonly previous?: string;
}

/** Rows as the event-store would make them, with time-ordered ids, behind the sequence `after`. */
export function makeRows(count: number, options: RowOptions): EventRow[] {
  const { after, nodeId, previous = firstLink } = options;
  const subjectOf = options.subjectOf ?? (() => `hub.${nodeId}.bench.stored`);
  const payload = JSON.stringify(samplePayload);
  let hash = previous;
  return Array.from({ length: count }, (_, index) => {
    const nowMs = Date.now();
    const seq = after + index + 1;
    const subject = subjectOf(seq);
    const content: EventContent = {
      seq,
      id: newId(),
      subject,
      type: subject.split(".").slice(2).join("."),
      node_id: nodeId,
      service: "bench",
      user_name: null,
      project: null,
      correlation_id: newId(),
      causation_id: null,
      traceparent: null,
      time: new Date(nowMs).toISOString(),
      stored_ms: nowMs,
      arrival: "published",
      attributes: null,
      payload,
    };
    const seal = sealAfter(hash, content);
    hash = seal.hash;
    return { ...content, ...seal };
  });
}
