import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from "kysely";
import { WriterLock } from "./writer_lock.ts";

/** Prepared statements kept per connection; the least recently used one goes first. */
const cachedStatements = 256;

/** Statements that leave the tables as they are. */
const dataKinds: ReadonlySet<string> = new Set([
  "SelectQueryNode",
  "InsertQueryNode",
  "UpdateQueryNode",
  "DeleteQueryNode",
]);

interface DriverOptions {
  readonly writer: DatabaseSync;
  readonly reader: DatabaseSync;
  readonly onCommit: () => void;
  /** Gets every error of the database, and returns what to throw instead. */
  readonly explain: (error: unknown) => unknown;
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
  readonly #options: DriverOptions;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#writer = new Statements(options.writer);
    this.#reader = new Statements(options.reader);
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
        onCommit: this.#options.onCommit,
        explain: this.#options.explain,
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

  /** Does something with the writing connection itself, when it is nobody else's turn. */
  async exclusively<Result>(work: (database: DatabaseSync) => Result): Promise<Result> {
    const release = await this.#lock.acquire();
    try {
      return work(this.#writer.database);
    } catch (error) {
      throw this.#options.explain(error);
    } finally {
      release();
    }
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
  readonly explain: (error: unknown) => unknown;
}

class SqliteConnection implements DatabaseConnection {
  readonly #options: ConnectionOptions;
  #release: (() => void) | undefined;
  #schemaMayDiffer = false;

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
      throw this.#options.explain(error);
    }
  }

  end(how: "commit" | "rollback"): void {
    const { writer } = this.#options;
    try {
      // A statement that failed hard (disk full) may have rolled the whole transaction back already.
      if (how === "commit" || writer.database.isTransaction) writer.get(how).run();
    } catch (error) {
      throw this.#options.explain(error);
    } finally {
      if (!writer.database.isTransaction) {
        this.#noticeSchema();
        this.#release?.();
        this.#release = undefined;
      }
    }
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { reader, lock, onCommit } = this.#options;
    if (this.#release) {
      // Whatever came now would be committed by itself, without the part that is gone.
      if (!this.#options.writer.database.isTransaction) {
        throw new Error("Cannot go on with the transaction: an error before has rolled it back; begin anew");
      }
      return this.#execute(query);
    }
    if (query.query.kind === "SelectQueryNode") return this.#execute(query, reader);
    const release = await lock.acquire();
    let result: QueryResult<Row>;
    try {
      result = this.#execute(query);
      this.#noticeSchema();
    } finally {
      release();
    }
    onCommit();
    return result;
  }

  #execute<Row>(query: CompiledQuery, statements = this.#options.writer): QueryResult<Row> {
    try {
      const { statement, returnsRows } = statements.get(query.sql);
      const values = query.parameters as SQLInputValue[];
      requireNoObject(values[0]);
      if (returnsRows) return { rows: statement.all(...values) as Row[] };
      const { changes, lastInsertRowid } = statement.run(...values);
      if (!dataKinds.has(query.query.kind)) {
        statements.forget();
        this.#schemaMayDiffer = true;
      }
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    } catch (error) {
      throw this.#options.explain(error);
    }
  }

  /** A statement keeps the columns that it was prepared with: `select *` would give values the names of others. */
  #noticeSchema(): void {
    if (!this.#schemaMayDiffer) return;
    this.#schemaMayDiffer = false;
    this.#options.writer.forget();
    this.#options.reader.forget();
  }

  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    yield await this.executeQuery<Row>(query);
  }
}

/** In the first place the runtime takes an object for named parameters, and would store NULL without a word. */
function requireNoObject(value: unknown): void {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    throw new TypeError("Cannot store an object: pass text, a number, bytes or null");
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
  #schemaMayDiffer = false;

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  get(sql: string): Prepared {
    let prepared = this.#cache.get(sql);
    if (prepared) {
      this.#cache.delete(sql);
    } else {
      if (this.#schemaMayDiffer) this.#readSchema();
      const statement = this.database.prepare(sql);
      prepared = { statement, returnsRows: statement.columns().length > 0, run: () => void statement.run() };
      if (this.#cache.size >= cachedStatements) this.#cache.delete(this.#cache.keys().next().value!);
    }
    this.#cache.set(sql, prepared);
    return prepared;
  }

  /** Drops what was prepared before tables changed. */
  forget(): void {
    this.#cache.clear();
    this.#schemaMayDiffer = true;
  }

  /** A connection prepares by the schema that it knows, and looks whether that still holds when it runs something. */
  #readSchema(): void {
    this.database.prepare("select count(*) from sqlite_schema").get();
    this.#schemaMayDiffer = false;
  }

  close(): void {
    this.#cache.clear();
    this.database.close();
  }
}
