import type { Migration } from "../../../core/plugin.ts";

/** Collect: how far each pattern has been taken in, and which messages could not be. */
export const collectTables: Migration = {
  up: async (db) => {
    await db.schema.createTable("event_store_collect")
      .addColumn("node_id", "text", (column) => column.notNull())
      .addColumn("pattern", "text", (column) => column.notNull())
      .addColumn("stream", "text", (column) => column.notNull())
      .addColumn("seq", "bigint", (column) => column.notNull())
      .addColumn("time_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("event_store_collect_key", ["node_id", "pattern"])
      .execute();
    await db.schema.createTable("event_store_refused")
      .addColumn("node_id", "text", (column) => column.notNull())
      .addColumn("stream", "text", (column) => column.notNull())
      .addColumn("stream_seq", "bigint", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("event_id", "text", (column) => column.notNull())
      .addColumn("error", "text", (column) => column.notNull())
      .addColumn("time", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("event_store_refused_key", ["node_id", "stream", "stream_seq"])
      .execute();
  },
};
