import { type Kysely, sql } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import type { EventStoreTables } from "../tables.ts";

/** Columns with an index on (column, seq). */
export type IndexedColumn = "subject" | "project";

/** A part of the events with one key: `from` <= seq <= `to`. */
export interface KeyRange {
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

/** What the indexes tell without a look at any event. */
export class EventIndex {
  readonly #db: Kysely<EventStoreTables>;
  readonly #kind: Storage["kind"];

  constructor(storage: Storage) {
    this.#db = storage.tables<EventStoreTables>();
    this.#kind = storage.kind;
  }

  // These are selects of Kysely's, not raw statements, which SQLite's driver would take for writes.

  /** The next subjects behind `after` (first: an empty text), in the order of the index, one step in it for each. */
  async subjects(after: string, limit: number): Promise<string[]> {
    const walk = sql<{ subject: string }>`(
      with recursive step(subject, number) as (
        select (select min(subject) from event_store_event where subject > ${after}), 1
        union all
        select (select min(subject) from event_store_event where subject > step.subject), number + 1
        from step where step.subject is not null and number < ${sql.lit(limit)}
      )
      select subject from step where subject is not null)`;
    const rows = await this.#db.selectFrom(walk.as<"walk">("walk")).select("walk.subject").execute();
    return rows.map((row) => row.subject);
  }

  /** The first `limit` sequences of each range, in the given order; one list for each range. */
  async sequences(
    ranges: readonly KeyRange[],
    { column, order, limit }: { column: IndexedColumn; order: "asc" | "desc"; limit: number },
  ): Promise<number[][]> {
    const json = JSON.stringify(ranges.map(({ key, from, to }) => [key, from, to]));
    const asked = this.#kind === "sqlite"
      ? sql<Asked>`(select key as place, value->>0 as wanted, value->>1 as low, value->>2 as high
          from json_each(${json}))`
      : sql<
        Asked
      >`(select place, value->>0 as wanted, (value->>1)::bigint as low, (value->>2)::bigint as high
          from json_array_elements(${json}::json) with ordinality as element(value, place))`;
    const collected = this.#kind === "sqlite"
      ? sql`json_group_array(seq)`
      : sql`coalesce(json_agg(seq), '[]')::text`;
    const rows = await this.#db.selectFrom(asked.as<"asked">("asked"))
      .select(sql<string>`(select ${collected} from (
        select seq from event_store_event
        where ${sql.ref(column)} = asked.wanted and seq >= asked.low and seq <= asked.high
        order by seq ${sql.raw(order)} limit ${sql.lit(limit)}) as entry)`.as("sequences"))
      .orderBy("asked.place").execute();
    return rows.map((row) => JSON.parse(row.sequences));
  }
}

interface Asked {
  readonly place: number;
  readonly wanted: string;
  readonly low: number;
  readonly high: number;
}
