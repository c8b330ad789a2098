import type { Migration } from "../../../core/plugin.ts";

/** Replays: what each is to send again, and how far it got. */
export const replayTable: Migration = {
  up: async (db) => {
    await db.schema.createTable("event_store_replay")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("node_id", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("filter", "text", (column) => column.notNull())
      .addColumn("speed", "double precision", (column) => column.notNull())
      .addColumn("max_gap_ms", "bigint")
      .addColumn("after_seq", "bigint", (column) => column.notNull())
      .addColumn("last_seq", "bigint", (column) => column.notNull())
      .addColumn("position", "bigint", (column) => column.notNull())
      .addColumn("replayed", "bigint", (column) => column.notNull())
      .addColumn("skipped", "bigint", (column) => column.notNull())
      .addColumn("error", "text")
      .addColumn("started_by", "text")
      .addColumn("started_at", "text", (column) => column.notNull())
      .addColumn("ended_at", "text")
      .execute();
  },
};
