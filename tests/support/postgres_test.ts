import { expect } from "expect";
// @ts-types="@types/pg"
import pg from "pg";
import { createDatabase, execute as query, startPostgres } from "./postgres.ts";
import { testWithOwnPostgres, testWithPostgres } from "./test_with.ts";

testWithPostgres("every database is empty, apart from the others, and gone afterwards", async () => {
  const first = await createDatabase();
  await query(first.url, "CREATE TABLE one (id int)");
  {
    await using second = await createDatabase();
    const tables = "SELECT count(*)::int AS count FROM pg_tables WHERE schemaname = 'public'";
    expect(await query(first.url, tables)).toEqual([{ count: 1 }]);
    expect(await query(second.url, tables)).toEqual([{ count: 0 }]);
  }
  const busy = new pg.Client({ connectionString: first.url });
  const thrownOut = new Promise((resolve) => busy.on("error", resolve));
  await busy.connect();
  await first[Symbol.asyncDispose]();
  await expect(query(first.url, "SELECT 1")).rejects.toThrow("does not exist");
  expect(String(await thrownOut)).toContain("terminating connection");
  await busy.end();
});

testWithOwnPostgres("a PostgreSQL server keeps its port and data over stop, crash and kill", async () => {
  await using server = await startPostgres();
  await query(server.url, "CREATE TABLE kept (id int)");
  for (const [id, mode] of (["fast", "immediate"] as const).entries()) {
    const before = server.pid;
    await query(server.url, `INSERT INTO kept VALUES (${id})`);
    await server.restart({ mode });
    expect(server.pid).not.toBe(before);
  }
  expect(server.output()).toContain("automatic recovery in progress");
  await server.kill();
  await expect(query(server.url, "SELECT 1")).rejects.toThrow();
  await server.restart();
  expect(await query(server.url, "SELECT id FROM kept ORDER BY id")).toEqual([{ id: 0 }, { id: 1 }]);
});

testWithOwnPostgres("a PostgreSQL server that cannot start says why", async () => {
  await expect(startPostgres({ settings: { no_such_setting: "1" } })).rejects.toThrow(/no_such_setting/);
});
