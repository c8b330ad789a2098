import type { Kysely, Transaction } from "kysely";
import type { CommitQueue } from "./commit_queues.ts";

/** One step of a plugin's tables. The portable subset serves both databases; `kind` is for what it cannot say. */
export interface Migration {
  // deno-lint-ignore no-explicit-any -- a migration sees tables as they were, which no type describes
  up(db: Kysely<any>, kind: Storage["kind"]): Promise<void>;
}

/** Append-only: name -> migration, run in the order of their names. */
export type Migrations = Readonly<Record<string, Migration>>;

/** The one database of an agent; every plugin has its own tables in it. */
export interface Storage {
  readonly kind: "sqlite" | "postgres";
  /** The same database, seen with the tables of the caller. */
  tables<Tables>(): Kysely<Tables>;
  /** Brings the tables of one owner up to date, all or nothing. Rejects naming the migration that failed. */
  migrate(owner: string, migrations: Migrations): Promise<void>;
  /** Called after every commit of this process that wrote, and after commits of others that called `announce`. */
  onCommit(listener: () => void): () => void;
  /** Tells the other agents on the same database about this transaction, once it commits; nothing to do on SQLite. */
  announce<Tables>(trx: Transaction<Tables>): Promise<void>;
  /** Puts an item off until `trx` commits; then `queue.flush` gets it, inside the transaction and right before its commit. */
  beforeCommit<Tables, Item>(
    trx: Transaction<Tables>,
    entry: { readonly queue: CommitQueue<Item>; readonly item: Item },
  ): Promise<void>;
  /** Milliseconds of a trivial query; rejects when the database does not answer, and with StorageFull while its disk is full. */
  probe(): Promise<number>;
  /**
   * Faults in the structure of a SQLite file, some at the most; undefined where it is larger than `maxBytes`, since nothing
   * else runs meanwhile (1 GB takes a second), and on PostgreSQL, which has tools of its own for it.
   */
  inspect(options: { readonly maxBytes: number }): Promise<readonly string[] | undefined>;
  /**
   * Makes use of the space that removed rows took. SQLite gives the pages back to the operating system, in small steps.
   * PostgreSQL (`vacuum`) makes room for new rows of these tables, and gives back only what is free at their end.
   */
  reclaim(tables: readonly string[], signal: AbortSignal): Promise<void>;
  /** Bytes on disk, for the metrics. */
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}

/** Where the storage reports what an operator should know. */
export interface StorageOptions {
  /** Absolute folder of the agent's files. */
  readonly dataDir: string;
  readonly warn: (message: string, properties?: Readonly<Record<string, unknown>>) => void;
}
