import { expect } from "expect";
import type { Generated } from "kysely";
import { testOnEveryStorage } from "../../tests/support/every_storage.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import type { Migrations } from "../plugin.ts";

interface Tables {
  probe_item: { id: Generated<number>; name: string; size: number };
}

const first: Migrations = {
  "001_item": {
    up: async (db) => {
      await db.schema.createTable("probe_item")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("size", "bigint", (column) => column.notNull())
        .execute();
    },
  },
};

testOnEveryStorage("migrations run once, and again without harm", async (storage) => {
  await storage.migrate("probe", first);
  await storage.migrate("probe", first);
  const db = storage.tables<Tables>();
  await db.insertInto("probe_item").values({ id: 1, name: "a", size: 2 ** 40 }).execute();
  expect(await db.selectFrom("probe_item").select("size").executeTakeFirst()).toEqual({ size: 2 ** 40 });
});

testOnEveryStorage("a failed migration leaves nothing behind and names itself", async (storage) => {
  await storage.migrate("probe", first);
  const broken: Migrations = {
    ...first,
    "002_half": {
      up: async (db) => {
        await db.schema.createTable("probe_half").addColumn("id", "integer").execute();
        throw new Error("power went out");
      },
    },
  };
  await expect(storage.migrate("probe", broken)).rejects.toThrow(
    'Cannot run the migration "002_half" of "probe": power went out',
  );
  const tables = await storage.tables<Tables>().introspection.getTables();
  expect(tables.map((table) => table.name)).not.toContain("probe_half");
});

testOnEveryStorage("a database of a newer version is refused with the reason", async (storage) => {
  await storage.migrate("probe", { ...first, "009_future": { up: () => Promise.resolve() } });
  await expect(storage.migrate("probe", first)).rejects.toThrow("was used by a newer version");
});

testOnEveryStorage("a transaction is seen by others only once it commits", async (storage) => {
  await storage.migrate("probe", first);
  const db = storage.tables<Tables>();
  await db.transaction().execute(async (trx) => {
    await trx.insertInto("probe_item").values({ id: 1, name: "a", size: 1 }).execute();
    expect(await trx.selectFrom("probe_item").selectAll().execute()).toHaveLength(1);
    expect(await db.selectFrom("probe_item").selectAll().execute()).toHaveLength(0);
  });
  expect(await db.selectFrom("probe_item").selectAll().execute()).toHaveLength(1);
});

testOnEveryStorage("a transaction that throws is undone and frees the way for the next", async (storage) => {
  await storage.migrate("probe", first);
  const db = storage.tables<Tables>();
  const attempts = Array.from({ length: 20 }, (_, index) =>
    db.transaction().execute(async (trx) => {
      await trx.insertInto("probe_item").values({ id: index, name: "a", size: 1 }).execute();
      if (index % 2) throw new Error("changed my mind");
    }));
  const results = await Promise.allSettled(attempts);
  expect(results.filter((result) => result.status === "rejected")).toHaveLength(10);
  const rows = await db.selectFrom("probe_item").select("id").orderBy("id").execute();
  expect(rows.map((row) => row.id)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
});

testOnEveryStorage(
  "a failing statement inside a transaction can be caught only by undoing it all",
  async (storage) => {
    await storage.migrate("probe", first);
    const db = storage.tables<Tables>();
    await db.insertInto("probe_item").values({ id: 1, name: "a", size: 1 }).execute();
    const twice = db.transaction().execute(async (trx) => {
      await trx.insertInto("probe_item").values({ id: 2, name: "b", size: 1 }).execute();
      await trx.insertInto("probe_item").values({ id: 1, name: "again", size: 1 }).execute();
    });
    await expect(twice).rejects.toThrow();
    expect(await db.selectFrom("probe_item").selectAll().execute()).toHaveLength(1);
  },
);

testOnEveryStorage("commits are signalled, with and without a transaction", async (storage) => {
  await storage.migrate("probe", first);
  const db = storage.tables<Tables>();
  let signals = 0;
  const stop = storage.onCommit(() => signals++);
  await db.transaction().execute(async (trx) => {
    await trx.insertInto("probe_item").values({ id: 1, name: "a", size: 1 }).execute();
    await storage.announce(trx);
  });
  await waitFor(() => signals > 0, { what: "the signal of the commit" });
  stop();
  expect(await storage.probe()).toBeLessThan(5000);
  expect(await storage.sizeBytes()).toBeGreaterThan(0);
});

testOnEveryStorage(
  "a commit that fails is no success, and the next writer gets its turn",
  async (storage) => {
    await storage.migrate("probe", first);
    await storage.migrate("probe-part", {
      "001_part": {
        up: async (db) => {
          await db.schema.createTable("probe_part").addColumn("item", "integer", (column) => column.notNull())
            .addForeignKeyConstraint(
              "probe_part_item",
              ["item"],
              "probe_item",
              ["id"],
              (constraint) => constraint.deferrable().initiallyDeferred(),
            )
            .execute();
        },
      },
    });
    const db = storage.tables<Tables & { probe_part: { item: number } }>();
    const failing = db.transaction().execute(async (trx) => {
      await trx.insertInto("probe_part").values({ item: 99 }).execute(); // found out only at the commit
    });
    await expect(failing).rejects.toThrow(/foreign key/i);
    await db.insertInto("probe_item").values({ id: 1, name: "a", size: 1 }).execute();
    expect(await db.selectFrom("probe_part").selectAll().execute()).toEqual([]);
  },
);

testOnEveryStorage(
  "after a table has changed its columns, their values keep their names",
  async (storage) => {
    await storage.migrate("probe", first);
    const db = storage.tables<Tables>();
    await db.insertInto("probe_item").values({ id: 1, name: "a", size: 2 }).execute();
    const all = (from: Pick<typeof db, "selectFrom">) => from.selectFrom("probe_item").selectAll().execute();
    expect(await all(db)).toEqual([{ id: 1, name: "a", size: 2 }]);
    await storage.migrate("probe", {
      ...first,
      "002_colour": {
        up: async (trx) => {
          expect(await all(trx)).toEqual([{ id: 1, name: "a", size: 2 }]);
          await trx.schema.createTable("probe_next").addColumn("id", "integer").addColumn("colour", "text")
            .addColumn("name", "text").addColumn("size", "bigint").execute();
          await trx.insertInto("probe_next").values({ id: 1, colour: "red", name: "a", size: 2 }).execute();
          await trx.schema.dropTable("probe_item").execute();
          await trx.schema.alterTable("probe_next").renameTo("probe_item").execute();
          expect(await all(trx)).toEqual([{ id: 1, colour: "red", name: "a", size: 2 }]);
        },
      },
    });
    expect(await all(db)).toEqual([{ id: 1, colour: "red", name: "a", size: 2 }]);
  },
);
