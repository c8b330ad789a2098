import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { StreamPosition } from "../../../core/bus/bus.ts";
import { Problem } from "../../../core/errors.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { Draft, Landed } from "../log/draft.ts";
import type { EventStore } from "../store.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";

/** How far the messages under a pattern have been taken in by a node. */
interface PositionRow {
  readonly node_id: string;
  readonly pattern: string;
  readonly stream: string;
  readonly seq: number;
  readonly time_ms: number;
}

/** A message of another host that cannot be an event of this log; it lies in the stream for as long as that keeps it. */
export interface RefusedRow {
  /** The node that refused it. */
  readonly node_id: string;
  readonly stream: string;
  readonly stream_seq: number;
  readonly subject: string;
  /** `ce-id`, empty where there was none. */
  readonly event_id: string;
  readonly error: string;
  readonly time: string;
}

interface CollectTables extends EventStoreTables {
  event_store_collect: PositionRow;
  event_store_refused: RefusedRow;
}

/** What was made of one message: an event for the log, nothing because it is this node's own, or a refusal. */
export type Taken =
  | { readonly kind: "event"; readonly draft: Draft; readonly refuse: (error: string) => RefusedRow }
  | { readonly kind: "own" }
  | { readonly kind: "refused"; readonly refused: RefusedRow };

/** Messages that are taken in together. */
export interface TakenBatch {
  readonly pattern: string;
  readonly taken: readonly Taken[];
  /** Where the last of them lies. */
  readonly position: StreamPosition;
  /** Where the one before the first lies, as it was noted; undefined where nothing was. */
  readonly before: StreamPosition | undefined;
}

/** What became of a batch. */
export interface Committed {
  readonly rows: readonly EventRow[];
  readonly landed: readonly Landed[];
  readonly refused: readonly RefusedRow[];
}

/** The database has another position than was noted: it was put back to a backup, and so were its events. */
export class PositionMoved extends Error {
  override readonly name = "PositionMoved";
}

/** Refused messages that are remembered per node; the oldest go first. */
export const maxRefused = 1000;

/** All SQL of collecting. */
export class CollectStore {
  readonly #db: Kysely<CollectTables>;
  readonly #store: EventStore;
  readonly #nodeId: string;

  constructor({ storage, store, nodeId }: { storage: Storage; store: EventStore; nodeId: string }) {
    this.#db = storage.tables<CollectTables>();
    this.#store = store;
    this.#nodeId = nodeId;
  }

  /** The last message under the pattern that was taken in. */
  async position(pattern: string): Promise<StreamPosition | undefined> {
    return await this.#position(this.#db, pattern);
  }

  /**
   * Stores events, refusals and the position in one transaction: what is noted as taken in is taken in, and once.
   * Rejects with PositionMoved where the noted position is not the expected one.
   */
  commit(batch: TakenBatch, nowMs: number): Promise<Committed> {
    return this.#db.transaction().execute(async (trx) => {
      const noted = await this.#position(trx, batch.pattern);
      if (noted?.stream !== batch.before?.stream || noted?.seq !== batch.before?.seq) {
        throw new PositionMoved(
          `Cannot collect "${batch.pattern}": the database has another position than was noted; beginning there`,
        );
      }
      const { rows, landed, refused } = await this.#append(trx, { taken: batch.taken, nowMs });
      await this.#refuse(trx, refused);
      await this.#note(trx, batch);
      return { rows, landed, refused };
    });
  }

  async #append(
    trx: Transaction<CollectTables>,
    { taken, nowMs }: { taken: readonly Taken[]; nowMs: number },
  ): Promise<Committed> {
    const refused = taken.flatMap((each) => each.kind === "refused" ? [each.refused] : []);
    const events = taken.filter((each) => each.kind === "event");
    if (events.length === 0) return { rows: [], landed: [], refused };
    const drafts = events.map(({ draft }) => draft);
    const { rows, results } = await this.#store.appendIn(trx, { drafts, nowMs });
    const landed: Landed[] = [];
    results.forEach((result, index) => {
      if (result instanceof Problem) refused.push(events[index]!.refuse(result.message));
      else landed.push(result);
    });
    return { rows, landed, refused };
  }

  async #position(db: Kysely<CollectTables>, pattern: string): Promise<StreamPosition | undefined> {
    const row = await db.selectFrom("event_store_collect").select(["stream", "seq", "time_ms"])
      .where("node_id", "=", this.#nodeId).where("pattern", "=", pattern).executeTakeFirst();
    return row && { stream: row.stream, seq: row.seq, timeMs: row.time_ms };
  }

  async #note(trx: Transaction<CollectTables>, { pattern, position }: TakenBatch): Promise<void> {
    const { stream, seq, timeMs: time_ms } = position;
    await trx.insertInto("event_store_collect")
      .values({ node_id: this.#nodeId, pattern, stream, seq, time_ms })
      .onConflict((conflict) =>
        conflict.columns(["node_id", "pattern"]).doUpdateSet({ stream, seq, time_ms })
      )
      .execute();
  }

  async #refuse(trx: Transaction<CollectTables>, refused: readonly RefusedRow[]): Promise<void> {
    if (refused.length === 0) return;
    await trx.insertInto("event_store_refused").values([...refused])
      .onConflict((conflict) => conflict.columns(["node_id", "stream", "stream_seq"]).doNothing()).execute();
    const surplus = await trx.selectFrom("event_store_refused").select(["stream", "stream_seq"])
      .where("node_id", "=", this.#nodeId).orderBy("time", "desc").orderBy("stream_seq", "desc")
      .offset(maxRefused).limit(maxRefused).execute();
    for (const { stream, stream_seq } of surplus) {
      await trx.deleteFrom("event_store_refused").where("node_id", "=", this.#nodeId)
        .where("stream", "=", stream).where("stream_seq", "=", stream_seq).execute();
    }
  }

  /** Refused messages, the latest first. */
  async refused(limit: number): Promise<Selectable<RefusedRow>[]> {
    return await this.#db.selectFrom("event_store_refused").selectAll().where("node_id", "=", this.#nodeId)
      .orderBy("time", "desc").orderBy("stream_seq", "desc").limit(limit).execute();
  }

  async refusedCount(): Promise<number> {
    const row = await this.#db.selectFrom("event_store_refused").where("node_id", "=", this.#nodeId)
      .select(sql<number>`count(*)`.as("count")).executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** Forgets every refused message; returns how many there were. */
  async forgetRefused(): Promise<number> {
    const { numDeletedRows } = await this.#db.deleteFrom("event_store_refused")
      .where("node_id", "=", this.#nodeId).executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }
}
