import type { Migration } from "../../../core/plugin.ts";

/** What retention has to know of itself: who of several agents removes, and what was removed. */
export const retention: Migration = {
  up: async (db) => {
    await db.schema.createTable("event_store_retention")
      .addColumn("id", "integer", (column) => column.primaryKey())
      .addColumn("holder", "text", (column) => column.notNull())
      .addColumn("held_until_ms", "bigint", (column) => column.notNull())
      .addColumn("generation", "bigint", (column) => column.notNull())
      .execute();
    await db.insertInto("event_store_retention")
      .values({ id: 1, holder: "", held_until_ms: 0, generation: 0 }).execute();
    await db.schema.createTable("event_store_retention_rule")
      .addColumn("subject", "text", (column) => column.primaryKey())
      .addColumn("events", "bigint", (column) => column.notNull())
      .addColumn("bytes", "bigint", (column) => column.notNull())
      .addColumn("oldest", "text")
      .addColumn("removed_events", "bigint", (column) => column.notNull())
      .addColumn("removed_bytes", "bigint", (column) => column.notNull())
      .addColumn("run_at", "text", (column) => column.notNull())
      .execute();
  },
};
