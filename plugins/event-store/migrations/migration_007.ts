import type { Migration } from "../../../core/plugin.ts";

/** Finds the events of a project, however few they are. Most events have none, and cost nothing here. */
export const projectIndex: Migration = {
  up: async (db) => {
    await db.schema.createIndex("event_store_event_project").on("event_store_event")
      .columns(["project", "seq"]).where("project", "is not", null).execute();
  },
};
