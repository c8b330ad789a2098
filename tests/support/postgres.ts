import postgres from "postgres";
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
    [Symbol.asyncDispose]: () => execute(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

// The driver itself rather than core/storage: what tests stand on must not lean on what they test.
async function execute(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 10, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
