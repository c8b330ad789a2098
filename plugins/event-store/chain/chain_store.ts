import { type Kysely, sql } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import { intact } from "../log/damage.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";

/** Nodes that are looked at for events with the same id. */
const maxNamesakes = 1000;

/** All SQL of the causes. */
export class ChainStore {
  readonly #db: Kysely<EventStoreTables>;
  readonly #kind: Storage["kind"];

  constructor(storage: Storage) {
    this.#kind = storage.kind;
    this.#db = storage.tables<EventStoreTables>();
  }

  /** Events that name `id` as their cause, behind a sequence, in order. Rejects with DamagedEvent. */
  async effects(id: string, { afterSeq, limit }: { afterSeq: number; limit: number }): Promise<EventRow[]> {
    const events = this.#db.selectFrom("event_store_event").selectAll();
    // As a range of (causation_id, seq), which only their own index has in that order: with "=" and "order by seq"
    // PostgreSQL may take the primary key instead, and walk the whole log for effects that lie at its end.
    const query = this.#kind === "postgres"
      ? events.where("causation_id", "is not", null).where("causation_id", "<=", id)
        .where(sql<boolean>`(causation_id, seq) > (${id}, ${afterSeq})`).orderBy("causation_id")
      : events.where("causation_id", "=", id).where("seq", ">", afterSeq);
    const rows = await query.orderBy("seq").limit(limit).execute();
    rows.forEach(intact);
    return rows;
  }

  /** The events of all nodes with that id, the first that was stored in front. */
  async namesakes(id: string): Promise<Pick<EventRow, "seq" | "node_id">[]> {
    return await this.#db.selectFrom("event_store_event").select(["seq", "node_id"])
      .where("id", "=", id).orderBy("seq").limit(maxNamesakes).execute();
  }
}
