/** A bus in memory keeps 10,000 events and 64 MiB; short of that the relay waits, so that no consumer misses any. */
const maxEvents = 8000;
const maxBytes = 48 * 1024 * 1024;

/** Events that were handed to the bus, and that a durable consumer of this process has yet to handle. */
export class Unsettled {
  readonly #sizes = new Map<number, number>();
  #bytes = 0;

  /** Adds an event, or one that is sent again. */
  add(seq: number, sizeBytes: number): void {
    this.#bytes += sizeBytes - (this.#sizes.get(seq) ?? 0);
    this.#sizes.set(seq, sizeBytes);
  }

  delete(seq: number): void {
    this.#bytes -= this.#sizes.get(seq) ?? 0;
    this.#sizes.delete(seq);
  }

  get count(): number {
    return this.#sizes.size;
  }

  get isFull(): boolean {
    return this.#sizes.size >= maxEvents || this.#bytes >= maxBytes;
  }

  /** The lowest sequence; undefined when all are settled. */
  get first(): number | undefined {
    return this.#sizes.size === 0 ? undefined : Math.min(...this.#sizes.keys());
  }
}
