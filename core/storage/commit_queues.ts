import type { DatabaseConnection, Driver, Transaction } from "kysely";

// deno-lint-ignore no-explicit-any -- a transaction over whichever tables the caller has
type AnyTransaction = Transaction<any>;

/** Work that waits for the end of a transaction, where it holds what it locks for a moment only. */
export interface CommitQueue<Item> {
  /** Runs inside the transaction, right before its commit, with all that was put in, in order. A rejection rolls back. */
  flush(trx: AnyTransaction, items: readonly Item[]): Promise<void>;
  /** Called once the transaction has committed. */
  committed?(items: readonly Item[]): void;
}

interface Entry {
  readonly queue: CommitQueue<unknown>;
  readonly trx: AnyTransaction;
  readonly item: unknown;
}

/** What the open transactions of one database have put off until their commit. */
export class CommitQueues {
  readonly #entries = new WeakMap<DatabaseConnection, Entry[]>();
  readonly #savepoints = new WeakMap<DatabaseConnection, Map<string, number>>();

  /** Puts an item off until `trx` commits; rolled back with it, also by a savepoint. */
  put<Item>(
    trx: AnyTransaction,
    { queue, item }: { queue: CommitQueue<Item>; item: Item },
  ): Promise<void> {
    return trx.getExecutor().provideConnection((connection) => {
      const entries = this.#entries.get(connection) ?? [];
      entries.push({ queue: queue as CommitQueue<unknown>, trx, item });
      this.#entries.set(connection, entries);
      return Promise.resolve();
    });
  }

  /** Makes the driver flush the queues of a transaction before it commits it; `onCommit` hears of every commit. */
  attach(driver: Driver, onCommit: () => void): Driver {
    const commit = driver.commitTransaction.bind(driver);
    const rollback = driver.rollbackTransaction.bind(driver);
    const savepoint = driver.savepoint?.bind(driver);
    const rollbackToSavepoint = driver.rollbackToSavepoint?.bind(driver);
    driver.commitTransaction = async (connection) => {
      const queues = byQueue(this.#entries.get(connection));
      for (const [queue, { trx, items }] of queues) await queue.flush(trx, items);
      await commit(connection);
      this.#forget(connection);
      for (const [queue, { items }] of queues) queue.committed?.(items);
      onCommit();
    };
    driver.rollbackTransaction = (connection) => {
      this.#forget(connection);
      return rollback(connection);
    };
    driver.savepoint = async (connection, name, compile) => {
      await savepoint?.(connection, name, compile);
      const savepoints = this.#savepoints.get(connection) ?? new Map<string, number>();
      savepoints.set(name, this.#entries.get(connection)?.length ?? 0);
      this.#savepoints.set(connection, savepoints);
    };
    driver.rollbackToSavepoint = async (connection, name, compile) => {
      await rollbackToSavepoint?.(connection, name, compile);
      this.#entries.get(connection)?.splice(this.#savepoints.get(connection)?.get(name) ?? 0);
    };
    return driver;
  }

  #forget(connection: DatabaseConnection): void {
    this.#entries.delete(connection);
    this.#savepoints.delete(connection);
  }
}

function byQueue(entries: readonly Entry[] = []) {
  const queues = new Map<CommitQueue<unknown>, { trx: AnyTransaction; items: unknown[] }>();
  for (const { queue, trx, item } of entries) {
    const known = queues.get(queue);
    if (known) known.items.push(item);
    else queues.set(queue, { trx, items: [item] });
  }
  return queues;
}
