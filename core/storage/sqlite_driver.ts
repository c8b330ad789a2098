import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from "kysely";
import { WriterLock } from "./writer_lock.ts";

/** Prepared statements kept per connection; the least recently used one goes first. */
const cachedStatements = 256;

interface DriverOptions {
  readonly writer: DatabaseSync;
  readonly reader: DatabaseSync;
  readonly onCommit: () => void;
}

/**
 * Kysely over node:sqlite with one writing and one reading connection. Reads outside a transaction never wait for a
 * writer (WAL shows them the last commit); writes take turns; a transaction is BEGIN IMMEDIATE, so it cannot fail
 * half-way for want of the lock.
 */
export class SqliteDriver implements Driver {
  readonly #lock = new WriterLock();
  readonly #writer: Statements;
  readonly #reader: Statements;
  readonly #onCommit: () => void;

  constructor(options: DriverOptions) {
    this.#writer = new Statements(options.writer);
    this.#reader = new Statements(options.reader);
    this.#onCommit = options.onCommit;
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(
      new SqliteConnection({
        lock: this.#lock,
        writer: this.#writer,
        reader: this.#reader,
        onCommit: this.#onCommit,
      }),
    );
  }

  beginTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as SqliteConnection).begin();
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    (connection as SqliteConnection).end("commit");
    return Promise.resolve();
  }

  rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    (connection as SqliteConnection).end("rollback");
    return Promise.resolve();
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`savepoint "${name}"`));
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`rollback to "${name}"`));
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`release "${name}"`));
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  async destroy(): Promise<void> {
    const release = await this.#lock.acquire().catch(() => () => {}); // whoever still holds it, we are closing
    this.#reader.close();
    this.#writer.close();
    release();
  }
}

interface ConnectionOptions {
  readonly lock: WriterLock;
  readonly writer: Statements;
  readonly reader: Statements;
  readonly onCommit: () => void;
}

class SqliteConnection implements DatabaseConnection {
  readonly #options: ConnectionOptions;
  #release: (() => void) | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    const release = await this.#options.lock.acquire();
    try {
      this.#options.writer.get("begin immediate").run();
      this.#release = release;
    } catch (error) {
      release();
      throw error;
    }
  }

  end(how: "commit" | "rollback"): void {
    const { writer } = this.#options;
    try {
      // A statement that failed hard (disk full) may have rolled the whole transaction back already.
      if (how === "commit" || writer.database.isTransaction) writer.get(how).run();
    } finally {
      if (!writer.database.isTransaction) {
        this.#release?.();
        this.#release = undefined;
      }
    }
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { writer, reader, lock, onCommit } = this.#options;
    if (this.#release) return execute(writer.get(query.sql), query.parameters);
    if (query.query.kind === "SelectQueryNode") return execute(reader.get(query.sql), query.parameters);
    const release = await lock.acquire();
    let result: QueryResult<Row>;
    try {
      result = execute(writer.get(query.sql), query.parameters);
    } finally {
      release();
    }
    onCommit();
    return result;
  }

  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    yield await this.executeQuery<Row>(query);
  }
}

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
  run(): void;
}

class Statements {
  readonly database: DatabaseSync;
  readonly #cache = new Map<string, Prepared>();

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  get(sql: string): Prepared {
    let prepared = this.#cache.get(sql);
    if (prepared) {
      this.#cache.delete(sql);
    } else {
      const statement = this.database.prepare(sql);
      prepared = { statement, returnsRows: statement.columns().length > 0, run: () => void statement.run() };
      if (this.#cache.size >= cachedStatements) this.#cache.delete(this.#cache.keys().next().value!);
    }
    this.#cache.set(sql, prepared);
    return prepared;
  }

  close(): void {
    this.#cache.clear();
    this.database.close();
  }
}

function execute<Row>(prepared: Prepared, parameters: readonly unknown[]): QueryResult<Row> {
  const values = parameters as SQLInputValue[];
  if (prepared.returnsRows) return { rows: prepared.statement.all(...values) as Row[] };
  const { changes, lastInsertRowid } = prepared.statement.run(...values);
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
}
