import type { Kysely } from "kysely";
import type { Migration } from "../../../core/plugin.ts";
import { firstLink, sealAfter } from "../log/event_hash.ts";
import type { EventContent, EventRow, EventStoreTables } from "../tables.ts";

type Database = Kysely<EventStoreTables & { event_store_event_002: EventRow }>;

/** Rows copied at once; with payloads of 256 KB they are 25 MB. */
const pageSize = 100;

/**
 * Hashes, origins of ids and causes: a table of its own, into which the events of the old one are copied, since every
 * row changes. An id is unique among the events of one node only: two hosts may both have an "order-1".
 */
export const hashChain: Migration = {
  up: async (db: Database, kind) => {
    const integer = kind === "sqlite" ? "integer" : "bigint";
    await db.schema.createTable("event_store_event_002")
      .addColumn("seq", integer, (column) => column.primaryKey())
      .addColumn("id", "text", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("type", "text", (column) => column.notNull())
      .addColumn("node_id", "text", (column) => column.notNull())
      .addColumn("service", "text", (column) => column.notNull())
      .addColumn("user_name", "text")
      .addColumn("project", "text")
      .addColumn("correlation_id", "text", (column) => column.notNull())
      .addColumn("causation_id", "text")
      .addColumn("traceparent", "text")
      .addColumn("time", "text", (column) => column.notNull())
      .addColumn("stored_ms", "bigint", (column) => column.notNull())
      .addColumn("arrival", "text", (column) => column.notNull())
      .addColumn("attributes", "text")
      .addColumn("checksum", "bigint", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull())
      .addColumn("payload", "text", (column) => column.notNull())
      .execute();
    await db.schema.alterTable("event_store_head")
      .addColumn("hash", "text", (column) => column.notNull().defaultTo(firstLink)).execute();
    await db.schema.alterTable("event_store_head")
      .addColumn("events", "bigint", (column) => column.notNull().defaultTo(0)).execute();
    const copied = await copyEvents(db);
    await db.updateTable("event_store_head").set(copied).where("id", "=", 1).execute();
    await db.schema.dropTable("event_store_event").execute();
    await db.schema.alterTable("event_store_event_002").renameTo("event_store_event").execute();
    await addIndexes(db);
    await db.schema.createTable("event_store_gap")
      .addColumn("from_seq", integer, (column) => column.primaryKey())
      .addColumn("to_seq", "bigint", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull())
      .addColumn("removed_at", "text", (column) => column.notNull())
      .addColumn("signer", "text", (column) => column.notNull())
      .addColumn("signature", "text", (column) => column.notNull())
      .execute();
  },
};

async function copyEvents(db: Database): Promise<{ hash: string; events: number }> {
  let hash = firstLink;
  let events = 0;
  for (let after = 0;;) {
    const page: EventContent[] = await db.selectFrom("event_store_event").selectAll().where("seq", ">", after)
      .orderBy("seq").limit(pageSize).execute();
    if (page.length === 0) return { hash, events };
    const rows = page.map((old) => {
      const content: EventContent = { ...old, arrival: "published", attributes: null };
      const seal = sealAfter(hash, content);
      hash = seal.hash;
      return { ...content, ...seal };
    });
    await db.insertInto("event_store_event_002").values(rows).execute();
    after = page.at(-1)!.seq;
    events += page.length;
  }
}

async function addIndexes(db: Database): Promise<void> {
  await db.schema.createIndex("event_store_event_id").on("event_store_event")
    .columns(["id", "node_id"]).unique().execute();
  await db.schema.createIndex("event_store_event_subject").on("event_store_event")
    .columns(["subject", "seq"]).execute();
  await db.schema.createIndex("event_store_event_correlation").on("event_store_event")
    .columns(["correlation_id", "seq"]).execute();
  await db.schema.createIndex("event_store_event_causation").on("event_store_event")
    .columns(["causation_id", "seq"]).where("causation_id", "is not", null).execute();
}
