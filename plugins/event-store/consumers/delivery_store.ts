import { type Kysely, type RawBuilder, sql, type Transaction } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import type { ConsumerTables, DeadLetterRow, PendingRow } from "./consumer_tables.ts";

type Database = Kysely<ConsumerTables>;

/** Events of one consumer. */
export interface Chosen {
  readonly consumer: string;
  readonly seqs: readonly number[];
}

/** Events that one fetch handed out, named by its token. */
export interface Delivered extends Chosen {
  readonly token: string;
}

/** What a consumer has in hand. */
export interface Load {
  /** Delivered, and neither acknowledged nor given back nor expired. */
  readonly inFlight: number;
  /** To be delivered again now. */
  readonly due: number;
  /** All that is not done with. */
  readonly pending: number;
  /** Of those, delivered more than once. */
  readonly redelivered: number;
  readonly oldestSeq: number | null;
  /** When the next one can be delivered again. */
  readonly nextDueMs: number | null;
}

/** An event that is pending, as far as its next delivery is concerned. */
export type Redelivery = Pick<PendingRow, "seq" | "deliveries">;

/** What failed, as JSON text of { error, at }. */
export interface FailedDelivery {
  readonly note: string;
}

/** A lease that began this far in the future was given before the clock was set back, and holds nobody up. */
const clockStepMs = 60_000;
/** Characters of notes kept for one event; then they begin anew. */
const maxNotes = 16_000;

/** All SQL about deliveries and dead letters. `db` is a transaction where several calls belong together. */
export class DeliveryStore {
  readonly #kind: Storage["kind"];

  constructor({ kind }: Pick<Storage, "kind">) {
    this.#kind = kind;
  }

  async load(db: Database, { consumer, nowMs }: { consumer: string; nowMs: number }): Promise<Load> {
    const { rows: [row] } = await sql<Load>`
      select count(*) as "pending",
        coalesce(sum(case when token <> '' and not (${isDue(nowMs)}) then 1 else 0 end), 0) as "inFlight",
        coalesce(sum(case when ${isDue(nowMs)} then 1 else 0 end), 0) as "due",
        coalesce(sum(case when deliveries > 1 then 1 else 0 end), 0) as "redelivered",
        min(seq) as "oldestSeq", min(due_ms) as "nextDueMs"
      from event_store_pending where consumer = ${consumer}`.execute(db);
    return row!;
  }

  /** Events that wait for a further delivery, which may be their last. */
  async due(
    db: Database,
    { consumer, nowMs, limit }: { consumer: string; nowMs: number; limit: number },
  ): Promise<Redelivery[]> {
    const { rows } = await sql<Redelivery>`
      select seq, deliveries from event_store_pending
      where consumer = ${consumer} and (${isDue(nowMs)}) order by seq limit ${limit}`.execute(db);
    return rows;
  }

  /** Enters events that were just handed out for the first time. */
  async insert(
    db: Database,
    chosen: Delivered & { deliveries: number; nowMs: number; dueMs: number },
  ): Promise<void> {
    const { consumer, seqs, token, deliveries, nowMs, dueMs } = chosen;
    if (seqs.length === 0) return;
    await sql`
      insert into event_store_pending (consumer, seq, deliveries, token, since_ms, due_ms)
      select cast(${consumer} as text), seq, cast(${deliveries} as bigint), cast(${token} as text),
        cast(${nowMs} as bigint), cast(${dueMs} as bigint) from (${this.#list(seqs)}) as list
      where true on conflict (consumer, seq) do nothing`.execute(db);
  }

  /** Hands out again those that are still due and have deliveries left; returns which, with their new count. */
  async redeliver(
    db: Database,
    chosen: Delivered & FailedDelivery & { nowMs: number; dueMs: number; maxDeliveries: number },
  ): Promise<Redelivery[]> {
    const { token, nowMs, dueMs, maxDeliveries, note } = chosen;
    if (chosen.seqs.length === 0) return [];
    const { rows } = await sql<Redelivery>`
      update event_store_pending set deliveries = deliveries + 1, token = ${token}, since_ms = ${nowMs},
        due_ms = ${dueMs}, errors = case when token = '' then errors else ${withNote(note)} end
      where ${this.#among(chosen)} and (${isDue(nowMs)}) and deliveries < ${maxDeliveries}
      returning seq, deliveries`.execute(db);
    return rows;
  }

  /** Takes out those that are still due and have no delivery left. */
  async takeExhausted(
    db: Database,
    chosen: Chosen & { nowMs: number; maxDeliveries: number },
  ): Promise<PendingRow[]> {
    if (chosen.seqs.length === 0) return [];
    const { rows } = await sql<PendingRow>`
      delete from event_store_pending
      where ${this.#among(chosen)} and (${isDue(chosen.nowMs)}) and deliveries >= ${chosen.maxDeliveries}
      returning *`.execute(db);
    return rows;
  }

  /** Takes out those that are still due, whatever became of them. */
  takeDue(db: Database, chosen: Chosen & { nowMs: number }): Promise<PendingRow[]> {
    return this.takeExhausted(db, { ...chosen, maxDeliveries: 0 });
  }

  /** Done with; returns those that were still in hand under that token. */
  async acknowledge(db: Database, delivered: Delivered): Promise<number[]> {
    const { rows } = await sql<{ seq: number }>`
      delete from event_store_pending where ${this.#inHand(delivered)} returning seq`.execute(db);
    return rows.map(({ seq }) => seq);
  }

  /** Given back, to be delivered again from `dueMs` on, where a delivery is left; returns which. */
  async giveBack(
    db: Database,
    delivered: Delivered & FailedDelivery & { nowMs: number; dueMs: number; maxDeliveries: number },
  ): Promise<number[]> {
    const { note, nowMs, dueMs, maxDeliveries } = delivered;
    const { rows } = await sql<{ seq: number }>`
      update event_store_pending set token = '', since_ms = ${nowMs}, due_ms = ${dueMs}, errors = ${
      withNote(note)
    }
      where ${this.#inHand(delivered)} and deliveries < ${maxDeliveries} returning seq`.execute(db);
    return rows.map(({ seq }) => seq);
  }

  /** Sequences behind `seq` that are pending, or dead. */
  async enteredBehind(db: Database, { consumer, seq }: { consumer: string; seq: number }): Promise<number[]> {
    const entered = (table: "event_store_pending" | "event_store_dead_letter") =>
      db.selectFrom(table).select("seq").where("consumer", "=", consumer).where("seq", ">", seq);
    const rows = await entered("event_store_pending").union(entered("event_store_dead_letter")).execute();
    return rows.map((row) => row.seq);
  }

  /** Ends every lease: who had one is gone. */
  async endLeases(db: Database, { consumer, nowMs }: { consumer: string; nowMs: number }): Promise<void> {
    await db.updateTable("event_store_pending").set({ since_ms: nowMs, due_ms: nowMs })
      .where("consumer", "=", consumer).where("token", "!=", "").execute();
  }

  /** Takes out what is in hand under that token. */
  async takeInHand(db: Database, delivered: Delivered): Promise<PendingRow[]> {
    const { rows } = await sql<PendingRow>`
      delete from event_store_pending where ${this.#inHand(delivered)} returning *`.execute(db);
    return rows;
  }

  /** A new lease for what is in hand under that token; returns which. */
  async extend(db: Database, delivered: Delivered & { nowMs: number; dueMs: number }): Promise<number[]> {
    const { rows } = await sql<{ seq: number }>`
      update event_store_pending set since_ms = ${delivered.nowMs}, due_ms = ${delivered.dueMs}
      where ${this.#inHand(delivered)} returning seq`.execute(db);
    return rows.map(({ seq }) => seq);
  }

  /** Enters dead letters; one that was there before is replaced. */
  async bury(trx: Transaction<ConsumerTables>, letters: readonly DeadLetterRow[]): Promise<void> {
    if (letters.length === 0) return;
    await trx.insertInto("event_store_dead_letter").values(letters)
      .onConflict((conflict) =>
        conflict.columns(["consumer", "seq"]).doUpdateSet((excluded) => ({
          reason: excluded.ref("excluded.reason"),
          deliveries: excluded.ref("excluded.deliveries"),
          errors: excluded.ref("excluded.errors"),
          died_at: excluded.ref("excluded.died_at"),
        }))
      ).execute();
  }

  /** Dead letters of one consumer, or of all. */
  async deadCount(db: Database, consumer?: string): Promise<number> {
    let query = db.selectFrom("event_store_dead_letter").select(sql<number>`count(*)`.as("count"));
    if (consumer !== undefined) query = query.where("consumer", "=", consumer);
    return Number((await query.executeTakeFirstOrThrow()).count);
  }

  /** In the order of the log, behind `after`. */
  async dead(
    db: Database,
    { consumer, after, limit }: { consumer: string; after: number; limit: number },
  ): Promise<DeadLetterRow[]> {
    return await db.selectFrom("event_store_dead_letter").selectAll().where("consumer", "=", consumer)
      .where("seq", ">", after).orderBy("seq").limit(limit).execute();
  }

  /** Takes dead letters out, the oldest or, where `seqs` are given, these; returns which. */
  async exhume(
    db: Database,
    { consumer, seqs, limit }: { consumer: string; seqs?: readonly number[] | undefined; limit: number },
  ): Promise<number[]> {
    const some = seqs ? sql`and seq in (${this.#list(seqs)})` : sql``;
    const { rows } = await sql<{ seq: number }>`
      delete from event_store_dead_letter where consumer = ${consumer} and seq in (
        select seq from event_store_dead_letter where consumer = ${consumer} ${some} order by seq limit ${limit}
      ) returning seq`.execute(db);
    return rows.map(({ seq }) => seq);
  }

  /** Forgets what is pending, so many at a time; returns how many there were. */
  async forget(db: Database, { consumer, limit }: { consumer: string; limit: number }): Promise<number> {
    const { rows } = await sql`
      delete from event_store_pending where consumer = ${consumer} and seq in (
        select seq from event_store_pending where consumer = ${consumer} order by seq limit ${limit}
      ) returning seq`.execute(db);
    return rows.length;
  }

  #among({ consumer, seqs }: Chosen): RawBuilder<unknown> {
    return sql`consumer = ${consumer} and seq in (${this.#list(seqs)})`;
  }

  #inHand(delivered: Delivered): RawBuilder<unknown> {
    return sql`${this.#among(delivered)} and token = ${delivered.token}`;
  }

  /** One parameter however many there are: the statement stays the same, and with it its plan. */
  #list(seqs: readonly number[]): RawBuilder<unknown> {
    const json = JSON.stringify(seqs);
    return this.#kind === "sqlite"
      ? sql`select value as seq from json_each(${json})`
      : sql`select value::bigint as seq from json_array_elements_text(${json}::json)`;
  }
}

function isDue(nowMs: number): RawBuilder<unknown> {
  return sql`due_ms <= ${nowMs} or since_ms > ${nowMs + clockStepMs}`;
}

function withNote(note: string): RawBuilder<unknown> {
  return sql`case when errors is null or length(errors) > ${maxNotes} then '[' || ${note} || ']'
    else substr(errors, 1, length(errors) - 1) || ',' || ${note} || ']' end`;
}
