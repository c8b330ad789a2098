import { type Kysely, sql, type Transaction } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import type { ConsumerRow, ConsumerTables } from "./consumer_tables.ts";

/** What may be changed about a consumer that exists. */
export type ConsumerChange = Partial<
  Pick<
    ConsumerRow,
    | "subject"
    | "narrowing"
    | "description"
    | "ack_wait_ms"
    | "max_deliveries"
    | "max_in_flight"
    | "paused"
    | "position"
    | "orderly"
    | "owner"
  >
>;

/** All SQL about consumers themselves; what they have in hand is in the delivery store. */
export class ConsumerStore {
  readonly #db: Kysely<ConsumerTables>;
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#db = storage.tables<ConsumerTables>();
  }

  /** For what one statement does. */
  get db(): Kysely<ConsumerTables> {
    return this.#db;
  }

  transaction<Result>(work: (trx: Transaction<ConsumerTables>) => Promise<Result>): Promise<Result> {
    return this.#db.transaction().execute(work);
  }

  /** Tells the other agents on this database, once the transaction commits: somebody there may wait for it. */
  announce(trx: Transaction<ConsumerTables>): Promise<void> {
    return this.#storage.announce(trx);
  }

  /** False where one of that name exists already. */
  async insert(row: ConsumerRow): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db.insertInto("event_store_consumer").values(row)
      .onConflict((conflict) => conflict.column("name").doNothing()).executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n;
  }

  async get(name: string): Promise<ConsumerRow | undefined> {
    return await this.#db.selectFrom("event_store_consumer").selectAll().where("name", "=", name)
      .executeTakeFirst();
  }

  /** The consumer as it is, and stays until the transaction ends; undefined where there is none. */
  async lock(trx: Transaction<ConsumerTables>, name: string): Promise<ConsumerRow | undefined> {
    const query = trx.selectFrom("event_store_consumer").selectAll().where("name", "=", name);
    return await (this.#storage.kind === "postgres" ? query.forUpdate() : query).executeTakeFirst();
  }

  /** In the order of their names, behind `after`. */
  async list({ after, limit }: { after: string; limit: number }): Promise<ConsumerRow[]> {
    // Names are compared byte by byte on both databases, or a page would begin elsewhere than the last one ended.
    const name = this.#storage.kind === "postgres" ? sql<string>`name collate "C"` : sql<string>`name`;
    return await this.#db.selectFrom("event_store_consumer").selectAll().where(name, ">", after)
      .orderBy(name).limit(limit).execute();
  }

  /** How many there are for workers outside. */
  async count(): Promise<number> {
    const row = await this.#db.selectFrom("event_store_consumer").where("owner", "is", null)
      .select(sql<number>`count(*)`.as("count")).executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** False where there is none of that name. */
  update(name: string, change: ConsumerChange): Promise<boolean> {
    return this.updateIn(this.#db, { name, change });
  }

  /** The same inside a transaction. */
  async updateIn(
    db: Kysely<ConsumerTables>,
    { name, change }: { name: string; change: ConsumerChange },
  ): Promise<boolean> {
    const { numUpdatedRows } = await db.updateTable("event_store_consumer").set(change)
      .where("name", "=", name).executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  async deleteIn(trx: Transaction<ConsumerTables>, name: string): Promise<void> {
    await trx.deleteFrom("event_store_consumer").where("name", "=", name).execute();
  }
}

/** What a consumer still needs of the log: the events under its subject, from `seq` on. */
export interface Floor {
  readonly name: string;
  /** Subject or pattern. */
  readonly subject: string;
  readonly seq: number;
}

/** For each consumer the lowest sequence that is not done with: not delivered, not acknowledged, or a dead letter. */
export async function unackedFloors(db: Kysely<ConsumerTables>): Promise<Floor[]> {
  const rows = await db.selectFrom("event_store_consumer as consumer").select([
    "name",
    "subject",
    "position",
    (query) =>
      query.selectFrom("event_store_pending as pending").whereRef("pending.consumer", "=", "consumer.name")
        .select((each) => each.fn.min<number | null>("pending.seq").as("seq")).as("pending"),
    (query) =>
      query.selectFrom("event_store_dead_letter as dead").whereRef("dead.consumer", "=", "consumer.name")
        .where("dead.reason", "!=", "removed")
        .select((each) => each.fn.min<number | null>("dead.seq").as("seq")).as("dead"),
  ]).execute();
  return rows.map(({ name, subject, position, pending, dead }) => ({
    name,
    subject,
    seq: Math.min(position + 1, pending ?? Infinity, dead ?? Infinity),
  }));
}
