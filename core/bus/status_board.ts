import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { BusStatus } from "./bus.ts";

/** Holds the status of a bus and tells its listeners when it changes. */
export class StatusBoard {
  readonly #listeners = new Set<(status: BusStatus) => void>();
  readonly #log: Logger;
  #status: BusStatus;

  constructor(status: BusStatus, log: Logger) {
    this.#status = status;
    this.#log = log;
  }

  get status(): BusStatus {
    return this.#status;
  }

  /** Replaces the status; without a `problem` there is none any more. */
  set(change: Pick<BusStatus, "connected" | "problem"> & { readonly reconnects?: number }): void {
    const { kind, url, reconnects } = this.#status;
    const { problem, ...rest } = { reconnects, ...change };
    const status: BusStatus = { kind, url, ...rest, ...(problem === undefined ? {} : { problem }) };
    if (isDeepStrictEqual(status, this.#status)) return;
    this.#status = status;
    for (const listener of [...this.#listeners]) {
      try {
        listener(status);
      } catch (error) {
        this.#log.error(`Cannot tell a listener of the bus status: ${messageOf(error)}`, { error });
      }
    }
  }

  /** Adds a listener and returns the way to take it back. */
  listen(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
