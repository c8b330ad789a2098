// @ts-types="@types/pg"
import pg from "pg";
import { locate } from "./requirement.ts";

export { type PostgresServer, startPostgres } from "./postgres_server.ts";

/** An empty database that belongs to one test; `await using` drops it, whoever is still connected. */
export interface Database extends AsyncDisposable {
  readonly url: string;
}

/** Creates an empty database with a name of its own on `$DATABASE_URL`, or on the server of `serverUrl`. */
export async function createDatabase({ serverUrl = locate("postgres") } = {}): Promise<Database> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await execute(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    [Symbol.asyncDispose]: async () => {
      await execute(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/**
 * Runs one statement on a connection of its own. It uses the driver itself rather than core/storage: what tests stand
 * on must not lean on what they test.
 */
export async function execute(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {}); // a lost connection rejects the statement as well
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
