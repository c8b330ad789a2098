import { expect } from "expect";
import { sql } from "kysely";
import { startPostgres } from "../../tests/support/postgres_server.ts";
import { testWithOwnPostgres } from "../../tests/support/test_with.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { isConnectionLost } from "./lost_connection.ts";
import { openStorage } from "./open_storage.ts";
import { storageSettings } from "./settings.ts";

testWithOwnPostgres("a database that is away is a problem that says so, until it is back", async () => {
  await using server = await startPostgres();
  const storage = await openStorage(storageSettings.parse({ url: server.url }), {
    dataDir: ".",
    warn: () => {},
  });
  try {
    const db = storage.tables<Record<string, never>>();
    const ask = () => sql`select 1`.execute(db);
    const write = () =>
      db.transaction().execute((trx) => sql`create table if not exists t (n int)`.execute(trx));
    await ask();
    await server.stop();
    const away = { status: 503, code: "storage_unavailable" };
    await expect(ask()).rejects.toMatchObject(away);
    await expect(write()).rejects.toMatchObject(away);
    await server.restart();
    await waitFor(() => ask(), { what: "PostgreSQL to answer again" });
    await write();
    await expect(sql`select nonsense`.execute(db)).rejects.not.toMatchObject(away);
  } finally {
    await storage.close();
  }
});

Deno.test("what a query did wrong is not taken for a lost connection", () => {
  const errors = [
    { code: "23505", message: "duplicate key value violates unique constraint" },
    { code: "42601", message: 'syntax error at or near "Connection"' },
    { message: "Cannot insert: timeout is no column" },
  ];
  expect(errors.map((error) => isConnectionLost(Object.assign(new Error(error.message), error)))).toEqual(
    errors.map(() => false),
  );
  expect(isConnectionLost(Object.assign(new Error("x"), { code: "57P03" }))).toBe(true);
  expect(isConnectionLost(new Error("Connection terminated unexpectedly"))).toBe(true);
});
