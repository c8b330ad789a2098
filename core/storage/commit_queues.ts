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

interface Savepoint {
  readonly name: string;
  /** Entries that were there when it was set. */
  readonly entries: number;
}

/** What the open transactions of one database have put off until their commit. */
export class CommitQueues {
  readonly #entries = new WeakMap<DatabaseConnection, Entry[]>();
  readonly #savepoints = new WeakMap<DatabaseConnection, Savepoint[]>();

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
    driver.commitTransaction = async (connection) => {
      const flushed = await this.#flush(connection);
      await commit(connection);
      for (const { queue, items } of flushed) queue.committed?.(items);
      onCommit();
    };
    driver.rollbackTransaction = (connection) => {
      this.#take(connection);
      return rollback(connection);
    };
    this.#followSavepoints(driver);
    return driver;
  }

  /** Nothing stays behind on the connection, whatever becomes of the commit: the next transaction may be somebody else's. */
  async #flush(connection: DatabaseConnection): Promise<Batch[]> {
    const flushed: Batch[] = [];
    // A flush may put something off itself.
    for (let batches = this.#take(connection); batches.length > 0; batches = this.#take(connection)) {
      for (const { queue, trx, items } of batches) await queue.flush(trx, items);
      flushed.push(...batches);
    }
    return flushed;
  }

  #take(connection: DatabaseConnection): Batch[] {
    const entries = this.#entries.get(connection);
    if (entries) this.#entries.delete(connection);
    this.#savepoints.delete(connection);
    return entries ? byQueue(entries) : [];
  }

  #followSavepoints(driver: Driver): void {
    const set = driver.savepoint?.bind(driver);
    const rollbackTo = driver.rollbackToSavepoint?.bind(driver);
    const release = driver.releaseSavepoint?.bind(driver);
    driver.savepoint = async (connection, name, compile) => {
      await set?.(connection, name, compile);
      const savepoints = this.#savepoints.get(connection) ?? [];
      savepoints.push({ name, entries: this.#entries.get(connection)?.length ?? 0 });
      this.#savepoints.set(connection, savepoints);
    };
    driver.rollbackToSavepoint = async (connection, name, compile) => {
      await rollbackTo?.(connection, name, compile);
      const savepoints = this.#savepoints.get(connection) ?? [];
      const index = savepoints.findLastIndex((each) => each.name === name);
      this.#entries.get(connection)?.splice(savepoints[index]?.entries ?? 0);
      savepoints.splice(index + 1);
    };
    driver.releaseSavepoint = async (connection, name, compile) => {
      await release?.(connection, name, compile);
      const savepoints = this.#savepoints.get(connection) ?? [];
      savepoints.splice(savepoints.findLastIndex((each) => each.name === name));
    };
  }
}

/** What one queue gets of one transaction. */
interface Batch {
  readonly queue: CommitQueue<unknown>;
  readonly trx: AnyTransaction;
  readonly items: unknown[];
}

function byQueue(entries: readonly Entry[]): Batch[] {
  const batches = new Map<CommitQueue<unknown>, Batch>();
  for (const { queue, trx, item } of entries) {
    const known = batches.get(queue);
    if (known) known.items.push(item);
    else batches.set(queue, { queue, trx, items: [item] });
  }
  return [...batches.values()];
}
