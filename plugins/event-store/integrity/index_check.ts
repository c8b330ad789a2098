import { type Kysely, sql } from "kysely";
import { messageOf } from "../../../core/errors.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import { isIntact } from "../log/damage.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";
import { type Finding, findingAt } from "./finding.ts";
import { unlessDamaged } from "./integrity_store.ts";

/** An index, and the column by which events are looked up in it. */
interface Lookup {
  readonly name: string;
  readonly column: "id" | "subject" | "correlation_id" | "causation_id" | "project";
}

const lookups: readonly Lookup[] = [
  { name: "event_store_event_id", column: "id" },
  { name: "event_store_event_subject", column: "subject" },
  { name: "event_store_event_correlation", column: "correlation_id" },
  { name: "event_store_event_causation", column: "causation_id" },
  { name: "event_store_event_project", column: "project" },
];

/**
 * Looks up events in the indexes of SQLite, which answers from a damaged one as if nothing were there. PostgreSQL has
 * `amcheck` for that.
 */
export class IndexCheck {
  readonly #db: Kysely<EventStoreTables>;
  readonly #skip: boolean;

  constructor(storage: Storage) {
    this.#db = storage.tables<EventStoreTables>();
    this.#skip = storage.kind !== "sqlite";
  }

  /** What is wrong with the ways to these events, which follow each other; of a damaged one nobody knows what leads to it. */
  async findings(events: readonly EventRow[]): Promise<Finding[]> {
    if (this.#skip) return [];
    const sound = events.filter(isIntact);
    if (sound.length === 0) return [];
    const damaged = new Set(events.filter((event) => !isIntact(event)).map(({ seq }) => seq));
    const found = [await this.#bySequence(sound)];
    for (const lookup of lookups) found.push(await this.#byIndex(sound, { ...lookup, damaged }));
    return found.filter((finding) => finding !== undefined);
  }

  /** From the last to the first: going up, SQLite steps from one to the next without a look at the way to it. */
  async #bySequence(events: readonly EventRow[]): Promise<Finding | undefined> {
    const seqs = JSON.stringify(events.map(({ seq }) => seq).toReversed());
    const rows = await unlessDamaged(() =>
      this.#db.selectFrom(sql<{ value: number }>`json_each(${seqs})`.as("asked"))
        .crossJoin("event_store_event").select("event_store_event.seq")
        .where("event_store_event.seq", "=", sql.ref<number>("asked.value")).execute()
    );
    return difference(events, rows, "the table");
  }

  /** Only columns that the index itself holds, so that it alone is asked. */
  async #byIndex(
    events: readonly EventRow[],
    { name, column, damaged }: Lookup & { damaged: ReadonlySet<number> },
  ): Promise<Finding | undefined> {
    const expected = events.filter((event) => event[column] !== null);
    if (expected.length === 0) return undefined;
    const values = JSON.stringify([...new Set(expected.map((event) => event[column]))]);
    const rows = await unlessDamaged(() =>
      this.#db.selectFrom(sql<EventRow>`event_store_event`.as(sql`e indexed by ${sql.raw(name)}`))
        .select(sql<number>`seq`.as("seq"))
        .where(sql<boolean>`${sql.raw(column)} in (select value from json_each(${values}))`)
        .where(sql<boolean>`seq between ${events[0]!.seq} and ${events.at(-1)!.seq}`).execute()
    ).catch(noRowsIfGone);
    return difference(expected, rows?.filter(({ seq }) => !damaged.has(seq)), `the index "${name}"`);
  }
}

/** An index that is not there, or not the one that was made, leads nowhere. */
function noRowsIfGone(error: unknown): [] {
  if (/no such index|no query solution/.test(messageOf(error))) return [];
  throw error;
}

function difference(
  events: readonly EventRow[],
  rows: readonly { readonly seq: number }[] | undefined,
  what: string,
): Finding | undefined {
  const found = new Set(rows?.map(({ seq }) => seq));
  const hidden = events.filter(({ seq }) => !found.delete(seq));
  const [first] = hidden;
  if (first) {
    const [seq, toSeq] = [first.seq, hidden.at(-1)!.seq];
    const which = hidden.length === 1
      ? `event ${seq}`
      : `${hidden.length} events between ${seq} and ${toSeq}`;
    const state = rows ? "does not lead to" : "cannot be read, which hides";
    return { kind: "index_damaged", seq, toSeq, detail: `${capital(what)} ${state} ${which}` };
  }
  const [other] = found;
  if (other === undefined) return undefined;
  return findingAt(
    other,
    "index_damaged",
    `${capital(what)} leads to an event ${other} that it should not know`,
  );
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
