import type { Migrations } from "../../core/plugin.ts";
import { hashChain } from "./migrations/migration_002.ts";
import { consumers } from "./migrations/migration_003.ts";
import { retention } from "./migrations/migration_004.ts";
import { replayTable } from "./migrations/migration_005.ts";
import { collectTables } from "./migrations/migration_006.ts";
import { projectIndex } from "./migrations/migration_007.ts";

/** Append-only: what was released is never edited. */
export const migrations: Migrations = {
  "001_events": {
    up: async (db, kind) => {
      await db.schema.createTable("event_store_event")
        // Of type `integer` on SQLite, which makes it the rowid: no second tree for the order of the log.
        .addColumn("seq", kind === "sqlite" ? "integer" : "bigint", (column) => column.primaryKey())
        .addColumn("id", "text", (column) => column.notNull().unique())
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
        .addColumn("payload", "text", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("event_store_event_subject").on("event_store_event")
        .columns(["subject", "seq"]).execute();
      await db.schema.createIndex("event_store_event_correlation").on("event_store_event")
        .columns(["correlation_id", "seq"]).execute();
      await db.schema.createTable("event_store_head")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("seq", "bigint", (column) => column.notNull())
        .addColumn("stored_ms", "bigint", (column) => column.notNull())
        .execute();
      await db.insertInto("event_store_head").values({ id: 1, seq: 0, stored_ms: 0 }).execute();
      await db.schema.createTable("event_store_relay")
        .addColumn("node_id", "text", (column) => column.primaryKey())
        .addColumn("seq", "bigint", (column) => column.notNull())
        .addColumn("stream", "text", (column) => column.notNull())
        .execute();
      await db.schema.createTable("event_store_parked")
        .addColumn("seq", "bigint", (column) => column.primaryKey())
        .addColumn("node_id", "text", (column) => column.notNull())
        .addColumn("error", "text", (column) => column.notNull())
        .addColumn("time", "text", (column) => column.notNull())
        .execute();
    },
  },
  "002_hash_chain": hashChain,
  "003_consumers": consumers,
  "004_retention": retention,
  "005_replays": replayTable,
  "006_collect": collectTables,
  "007_project_index": projectIndex,
};
