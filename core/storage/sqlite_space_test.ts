import { expect } from "expect";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqlite } from "./sqlite.ts";

const megabyte = 1024 * 1024;

async function inFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(join(folder, "test.db"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A file as agents made it before: with pages that nobody gives back. */
function makeOldFile(path: string): void {
  using database = new DatabaseSync(path);
  database.exec("pragma journal_mode = wal; create table probe_item (id integer primary key, text text)");
  fill(database);
}

function fill(database: DatabaseSync): void {
  const insert = database.prepare("insert into probe_item (text) values (?)");
  database.exec("begin");
  for (let n = 0; n < 1000; n++) insert.run("x".repeat(3000));
  database.exec("commit");
}

async function shrink(path: string, warnings: string[]): Promise<{ before: number; after: number }> {
  const storage = openSqlite(path, {
    compactBelowBytes: 2 * megabyte,
    warn: (text) => void warnings.push(text),
  });
  const before = await storage.sizeBytes();
  await storage.tables<{ probe_item: { id: number } }>().deleteFrom("probe_item").execute();
  await storage.reclaim(["probe_item"], new AbortController().signal);
  const after = await storage.sizeBytes();
  await storage.close();
  return { before, after };
}

Deno.test("a new file gets smaller when its rows are removed", () =>
  inFolder(async (path) => {
    const storage = openSqlite(path);
    await storage.migrate("probe", {
      "001_item": {
        up: async (db) => {
          await db.schema.createTable("probe_item").addColumn(
            "id",
            "integer",
            (column) => column.primaryKey(),
          )
            .addColumn("text", "text").execute();
        },
      },
    });
    await storage.close();
    using database = new DatabaseSync(path);
    fill(database);
    const warnings: string[] = [];
    const { before, after } = await shrink(path, warnings);
    expect(before).toBeGreaterThan(3 * megabyte);
    expect(after).toBeLessThan(1.2 * megabyte);
    expect(warnings).toEqual([]);
  }));

Deno.test("a large older file stays as it is, and a warning says what to do", () =>
  inFolder(async (path) => {
    makeOldFile(path);
    const warnings: string[] = [];
    const { before, after } = await shrink(path, warnings);
    expect(after).toBeGreaterThanOrEqual(before);
    expect(warnings).toEqual([
      expect.stringContaining("Set storage.compact_below above its size for one start"),
    ]);
  }));

Deno.test("a small older file is rewritten at the start, with all that it holds, and then gets smaller", () =>
  inFolder(async (path) => {
    makeOldFile(path);
    {
      using database = new DatabaseSync(path);
      database.exec("delete from probe_item where id > 400; vacuum");
    }
    const warnings: string[] = [];
    const storage = openSqlite(path, {
      compactBelowBytes: 2 * megabyte,
      warn: (text) => void warnings.push(text),
    });
    const rows = await storage.tables<{ probe_item: { id: number } }>().selectFrom("probe_item").select("id")
      .execute();
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 400 }, (_, index) => index + 1));
    await storage.close();
    {
      using database = new DatabaseSync(path);
      expect(database.prepare("pragma auto_vacuum").get()).toMatchObject({ auto_vacuum: 2 });
      fill(database);
    }
    const { before, after } = await shrink(path, warnings);
    expect(before).toBeGreaterThan(3 * megabyte);
    expect(after).toBeLessThan(1.2 * megabyte);
    expect(warnings).toEqual([]);
  }));

Deno.test("giving pages back ends when it is told to, and lets writers in between", () =>
  inFolder(async (path) => {
    const storage = openSqlite(path);
    const db = storage.tables<{ probe_item: { id: number; text: string } }>();
    await db.schema.createTable("probe_item").addColumn("id", "integer", (column) => column.primaryKey())
      .addColumn("text", "text").execute();
    for (let n = 0; n < 40; n++) {
      await db.insertInto("probe_item").values(
        Array.from({ length: 200 }, (_, index) => ({ id: n * 200 + index + 1, text: "x".repeat(3000) })),
      ).execute();
    }
    await db.deleteFrom("probe_item").where("id", ">", 10).execute();
    const stop = new AbortController();
    let isOver = false;
    const reclaiming = storage.reclaim(["probe_item"], stop.signal).then(() => isOver = true);
    await db.insertInto("probe_item").values({ id: 9999, text: "in between" }).execute();
    expect(isOver).toBe(false);
    stop.abort();
    await reclaiming;
    expect(await db.selectFrom("probe_item").select("id").where("id", ">", 10).execute()).toEqual([{
      id: 9999,
    }]);
    await storage.close();
  }));
