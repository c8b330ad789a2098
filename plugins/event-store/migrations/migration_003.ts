import { sql } from "kysely";
import type { Migration } from "../../../core/plugin.ts";

/** Consumers, what they have in hand, and what they gave up. */
export const consumers: Migration = {
  up: async (db, kind) => {
    await db.schema.createTable("event_store_consumer")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("narrowing", "text")
      .addColumn("projects", "text")
      .addColumn("owner", "text")
      .addColumn("description", "text")
      .addColumn("start", "text", (column) => column.notNull())
      .addColumn("position", "bigint", (column) => column.notNull())
      .addColumn("ack_wait_ms", "bigint", (column) => column.notNull())
      .addColumn("max_deliveries", "integer", (column) => column.notNull())
      .addColumn("max_in_flight", "integer", (column) => column.notNull())
      .addColumn("paused", "integer", (column) => column.notNull())
      .addColumn("orderly", "integer", (column) => column.notNull())
      .addColumn("created_at", "text", (column) => column.notNull())
      .execute();
    const pending = db.schema.createTable("event_store_pending")
      .addColumn("consumer", "text", (column) => column.notNull())
      .addColumn("seq", "bigint", (column) => column.notNull())
      .addColumn("deliveries", "integer", (column) => column.notNull())
      .addColumn("token", "text", (column) => column.notNull())
      .addColumn("since_ms", "bigint", (column) => column.notNull())
      .addColumn("due_ms", "bigint", (column) => column.notNull())
      .addColumn("errors", "text")
      .addPrimaryKeyConstraint("event_store_pending_key", ["consumer", "seq"]);
    // Rows come and go with each delivery: one tree to keep rather than two.
    await (kind === "sqlite" ? pending.modifyEnd(sql`without rowid`) : pending).execute();
    await db.schema.createTable("event_store_dead_letter")
      .addColumn("consumer", "text", (column) => column.notNull())
      .addColumn("seq", "bigint", (column) => column.notNull())
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("deliveries", "integer", (column) => column.notNull())
      .addColumn("errors", "text")
      .addColumn("died_at", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("event_store_dead_letter_key", ["consumer", "seq"])
      .execute();
  },
};
