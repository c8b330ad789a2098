import { CompiledQuery, type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { setImmediate } from "node:timers";
import type { Problem } from "../../core/errors.ts";
import type { Storage } from "../../core/storage/storage.ts";
import { allLanded, type BatchPlan, identityOf, partsOf, planBatch } from "./log/append_batch.ts";
import { DamagedEvent, isAskedFor, isIntact } from "./log/damage.ts";
import type { Draft, Landed } from "./log/draft.ts";
import { whereEvent, whereSequence } from "./search/event_filter.ts";
import type { LogCondition } from "./integrity/log_condition.ts";
import {
  type EventPage,
  type RangeOptions,
  readPage,
  type RowsRead,
  type SequenceRange,
} from "./log/read_page.ts";
import { eventColumns, type EventRow, type EventStoreTables } from "./tables.ts";

/** Rows of one insert statement on SQLite; larger batches take several. */
const insertSizes = [64, 16, 1] as const;

/** PostgreSQL reads rows from one JSON text in two thirds of the time that as many parameters take it. */
export const insertJson = `insert into event_store_event (${eventColumns.join(", ")}) ` +
  `select ${eventColumns.join(", ")} from json_populate_recordset(null::event_store_event, $1)`;

/** What the log holds. */
export interface LogExtent {
  readonly events: number;
  readonly firstSeq: number | null;
  /** 0 while nothing was ever stored. */
  readonly lastSeq: number;
  readonly lastTime: string | null;
}

/** How far a node's events have reached the bus. */
export interface RelayPosition {
  readonly seq: number;
  readonly stream: string;
}

/** All SQL of the event-store. Inside a transaction it uses that transaction only. */
export class EventStore {
  readonly #db: Kysely<EventStoreTables>;
  readonly #storage: Storage;
  readonly #inserts: ReadonlyMap<number, CompiledQuery>;
  readonly #condition: LogCondition | undefined;

  /** `condition` hears of damaged events, and decides whether the log takes any. */
  constructor(storage: Storage, condition?: LogCondition) {
    this.#storage = storage;
    this.#condition = condition;
    this.#db = storage.tables<EventStoreTables>();
    this.#inserts = new Map(insertSizes.map((size) => [size, compileInsert(this.#db, size)]));
  }

  /** Appends a batch in one transaction, durable when the promise resolves; each draft gets its own outcome. */
  append(drafts: readonly Draft[], nowMs: number): Promise<BatchPlan> {
    return this.#db.transaction().execute((trx) => this.appendIn(trx, { drafts, nowMs }));
  }

  /**
   * Appends all drafts in one transaction, or none of them: rejects with Problem 409 `batch_conflict`, which names every
   * draft that conflicts. Goes in parts, between which others get their turn.
   */
  appendAll(
    drafts: readonly Draft[],
    nowMs: number,
  ): Promise<{ rows: readonly EventRow[]; landed: readonly Landed[] }> {
    return this.#db.transaction().execute(async (trx) => {
      const rows: EventRow[] = [];
      const results: (Landed | Problem)[] = [];
      for (const part of partsOf(drafts)) {
        if (results.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
        const plan = await this.appendIn(trx, { drafts: part, nowMs });
        rows.push(...plan.rows);
        results.push(...plan.results);
      }
      return { rows, landed: allLanded(results) };
    });
  }

  /** The same inside a transaction of the caller: holds the end of the log until that ends, so that sequences follow commits. */
  async appendIn(
    trx: Transaction<EventStoreTables>,
    { drafts, nowMs }: { drafts: readonly Draft[]; nowMs: number },
  ): Promise<BatchPlan> {
    this.#condition?.refuseIfBroken();
    const head = await this.#lockHead(trx);
    const storedMs = Math.max(nowMs, head.stored_ms);
    const plan = planBatch(drafts, {
      seq: head.seq,
      storedMs,
      hash: head.hash,
      known: await this.#known(trx, drafts),
      lastSeq: await this.#lastSeqs(trx, drafts),
    });
    if (plan.rows.length === 0) return plan;
    await this.#insert(trx, plan.rows);
    await trx.updateTable("event_store_head").where("id", "=", 1)
      .set({
        seq: head.seq + plan.rows.length,
        stored_ms: storedMs,
        hash: plan.rows.at(-1)!.hash,
        events: head.events + plan.rows.length,
      }).execute();
    await this.#storage.announce(trx);
    return plan;
  }

  /** SQLite holds the write lock since BEGIN IMMEDIATE; PostgreSQL locks the row. */
  async #lockHead(
    trx: Transaction<EventStoreTables>,
  ): Promise<Selectable<EventStoreTables["event_store_head"]>> {
    const query = trx.selectFrom("event_store_head").selectAll().where("id", "=", 1);
    return await (this.#storage.kind === "postgres" ? query.forUpdate() : query).executeTakeFirstOrThrow();
  }

  async #known(trx: Transaction<EventStoreTables>, drafts: readonly Draft[]): Promise<Map<string, EventRow>> {
    const ids = drafts.filter((draft) => draft.idGiven).map((draft) => draft.envelope.id);
    if (ids.length === 0) return new Map();
    // Filled up to a power of two: nine statements serve all batches, rather than one for each length.
    while ((ids.length & (ids.length - 1)) !== 0) ids.push(ids[0]!);
    const rows = await trx.selectFrom("event_store_event").selectAll().where("id", "in", ids).execute();
    return new Map(rows.map((row) => [identityOf(row), row]));
  }

  async #lastSeqs(
    trx: Transaction<EventStoreTables>,
    drafts: readonly Draft[],
  ): Promise<Map<string, number>> {
    const subjects = new Set(
      drafts.filter((draft) => draft.expectedSeq !== undefined).map((draft) => draft.envelope.subject),
    );
    const last = new Map<string, number>();
    for (const subject of subjects) {
      const row = await trx.selectFrom("event_store_event").select("seq").where("subject", "=", subject)
        .orderBy("seq", "desc").limit(1).executeTakeFirst();
      last.set(subject, row?.seq ?? 0);
    }
    return last;
  }

  async #insert(trx: Transaction<EventStoreTables>, rows: readonly EventRow[]): Promise<void> {
    if (this.#storage.kind === "postgres") {
      await trx.executeQuery(CompiledQuery.raw(insertJson, [JSON.stringify(rows)]));
      return;
    }
    for (let start = 0; start < rows.length;) {
      const size = insertSizes.find((each) => each <= rows.length - start)!;
      const parameters: unknown[] = [];
      for (const end = start + size; start < end; start++) {
        for (const column of eventColumns) parameters.push(rows[start]![column]);
      }
      await trx.executeQuery({ ...this.#inserts.get(size)!, parameters });
    }
  }

  /** The end of the log. */
  async head(): Promise<{ seq: number; hash: string; events: number }> {
    return await this.#db.selectFrom("event_store_head").select(["seq", "hash", "events"]).where("id", "=", 1)
      .executeTakeFirstOrThrow();
  }

  /** Sequence of the last event that was ever stored: 0 when there was none. */
  async headSeq(): Promise<number> {
    return (await this.head()).seq;
  }

  /** How much the log holds, and where it begins and ends. */
  async extent(): Promise<LogExtent> {
    const end = (order: "asc" | "desc") =>
      this.#db.selectFrom("event_store_event").select(["seq", "time"]).orderBy("seq", order).limit(1)
        .executeTakeFirst();
    const [first, last] = [await end("asc"), await end("desc")];
    const head = await this.head();
    return {
      events: head.events,
      firstSeq: first?.seq ?? null,
      lastSeq: head.seq,
      lastTime: last?.time ?? null,
    };
  }

  /**
   * Events with `from` <= seq <= `to` that match, in the given order, of all or `among` given sequences. Rejects with
   * DamagedEvent.
   */
  async range(range: SequenceRange, options: RangeOptions): Promise<readonly EventRow[]> {
    const { rows, damaged } = await this.#intactRows(range, options);
    if (damaged) throw damaged;
    return rows;
  }

  /** What comes before the first damaged event. */
  async #intactRows({ from, to, among }: SequenceRange, options: RangeOptions): Promise<RowsRead> {
    let query = this.#db.selectFrom("event_store_event").selectAll();
    if (among) {
      query = whereSequence(
        query,
        among.filter((seq) => seq >= from && seq <= to),
        this.#storage.kind,
      );
    } else query = query.where("seq", ">=", from).where("seq", "<=", to);
    if (options.filter) query = whereEvent(query, options.filter, this.#storage.kind);
    const rows = await query.orderBy("seq", options.order ?? "asc").limit(options.limit).execute();
    const step = options.order === "desc" ? -1 : 1;
    const { filter = {} } = options;
    const index = rows.findIndex((row, index) =>
      !isIntact(row) || !isAskedFor(row, filter) || !isBehind(row, rows[index - 1], step)
    );
    if (index === -1) return { rows };
    const [before, row] = [rows[index - 1], rows[index]!];
    // What is out of order hides what should be there.
    const seq = isBehind(row, before, step) ? row.seq : before!.seq + step;
    return { rows: rows.slice(0, index), damaged: this.#damaged(seq) };
  }

  #damaged(seq: number): DamagedEvent {
    this.#condition?.damagedEvent(seq);
    return new DamagedEvent(seq);
  }

  /**
   * The same in statements that stay small whatever the payloads are. `complete` is false where the page was full, in
   * events or in size, before the range was, and where damage comes next: only a page that begins with it rejects.
   */
  page(range: SequenceRange, options: RangeOptions): Promise<EventPage> {
    return readPage((...asked) => this.#intactRows(...asked), range, options);
  }

  /** The event with that id: of the given node, else the first that was stored. */
  async byId(id: string, nodeId?: string): Promise<EventRow | undefined> {
    let query = this.#db.selectFrom("event_store_event").selectAll().where("id", "=", id);
    if (nodeId !== undefined) query = query.where("node_id", "=", nodeId);
    const row = await query.orderBy("seq").limit(1).executeTakeFirst();
    if (row && (row.id !== id || !isIntact(row))) throw this.#damaged(row.seq); // by a damaged index one finds others
    return row;
  }

  /** The first event at or after `seq`, for `desc` at or before it: its sequence and when it was stored. */
  async storedAt(
    seq: number,
    order: "asc" | "desc" = "asc",
  ): Promise<{ seq: number; stored_ms: number } | undefined> {
    return await this.#db.selectFrom("event_store_event").select(["seq", "stored_ms"])
      .where("seq", order === "asc" ? ">=" : "<=", seq)
      .orderBy("seq", order).limit(1).executeTakeFirst();
  }

  async relayPosition(nodeId: string): Promise<RelayPosition | undefined> {
    return await this.#db.selectFrom("event_store_relay").select(["seq", "stream"]).where(
      "node_id",
      "=",
      nodeId,
    )
      .executeTakeFirst();
  }

  async saveRelayPosition(nodeId: string, { seq, stream }: RelayPosition): Promise<void> {
    await this.#db.insertInto("event_store_relay").values({ node_id: nodeId, seq, stream })
      .onConflict((conflict) => conflict.column("node_id").doUpdateSet({ seq, stream })).execute();
  }

  /** Remembers an event that the bus can never take, so that the ones behind it go on. */
  async park(
    { seq, node_id }: Pick<EventRow, "seq" | "node_id">,
    { error, time }: { error: string; time: string },
  ): Promise<void> {
    await this.#db.insertInto("event_store_parked").values({ seq, node_id, error, time })
      .onConflict((conflict) => conflict.column("seq").doNothing()).execute();
  }

  async parkedCount(nodeId: string): Promise<number> {
    const row = await this.#db.selectFrom("event_store_parked").where("node_id", "=", nodeId)
      .select(sql<number>`count(*)`.as("count")).executeTakeFirstOrThrow();
    return Number(row.count);
  }
}

function isBehind({ seq }: EventRow, before: EventRow | undefined, step: 1 | -1): boolean {
  return before === undefined || (seq - before.seq) * step > 0;
}

function compileInsert(db: Kysely<EventStoreTables>, size: number): CompiledQuery {
  const blank = Object.fromEntries(eventColumns.map((column) => [column, ""])) as unknown as EventRow;
  return db.insertInto("event_store_event").values(Array.from({ length: size }, () => blank)).compile();
}
