import type { Driver } from "kysely";
import { Problem } from "../errors.ts";

/** A write for which the disk has no room: rolled back, so that nothing of it is stored. */
export class StorageFull extends Problem {
  constructor(cause: unknown) {
    super(507, "storage_full", {
      detail:
        "The disk of the agent is full: nothing was stored. Free space there, or let retention remove more, " +
        "and send it again",
      cause,
      extras: { retry_after: 10 },
    });
  }
}

/** Knows a full disk by the errors of the driver, and remembers it until a write succeeds. */
export class FullDisk {
  readonly #isFull: (error: unknown) => boolean;
  readonly #onFull: () => void;
  #problem: StorageFull | undefined;

  /** `onFull` is called once for each time that the disk gets full. */
  constructor({ isFull, onFull }: { isFull: (error: unknown) => boolean; onFull: () => void }) {
    this.#isFull = isFull;
    this.#onFull = onFull;
  }

  /** Set while the last write found no room. */
  get problem(): StorageFull | undefined {
    return this.#problem;
  }

  /** The error to throw in place of the driver's. */
  translate(error: unknown): unknown {
    if (!this.#isFull(error)) return error;
    if (!this.#problem) this.#onFull();
    return this.#problem = new StorageFull(error);
  }

  /** Something was written. */
  written(): void {
    this.#problem = undefined;
  }

  /** Makes the connections of a driver throw StorageFull where it is due. */
  guard(driver: Driver): Driver {
    const known = new WeakSet();
    const acquire = driver.acquireConnection.bind(driver);
    driver.acquireConnection = async (options) => {
      const connection = await acquire(options);
      if (known.has(connection)) return connection;
      known.add(connection);
      const execute = connection.executeQuery.bind(connection);
      connection.executeQuery = async <Row>(...query: Parameters<typeof execute>) => {
        try {
          return await execute<Row>(...query);
        } catch (error) {
          throw this.translate(error);
        }
      };
      return connection;
    };
    return driver;
  }
}
