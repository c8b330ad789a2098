import type { Clock } from "../clock.ts";
import type { Outgoing } from "./outgoing.ts";

export interface MemoryStreamOptions {
  readonly clock: Clock;
  readonly duplicateWindowMs: number;
  /** Events kept at the most; default 10,000. */
  readonly maxEvents?: number | undefined;
  /** Bytes kept at the most; default 64 MiB. */
  readonly maxBytes?: number | undefined;
}

/** Ids remembered at the most, should very many events arrive within one duplicate window. */
const maxIds = 200_000;

/** The latest events in order, each with a sequence from 1, bounded in number and bytes: the oldest go first. */
export class MemoryStream {
  readonly #options: MemoryStreamOptions;
  readonly #events = new Map<number, Outgoing>();
  readonly #appendedAt = new Map<string, number>();
  #bytes = 0;
  #firstSeq = 1;
  #nextSeq = 1;

  constructor(options: MemoryStreamOptions) {
    this.#options = options;
  }

  /** Sequence of the oldest event that is still kept. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** Sequence that the next event will get. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  at(seq: number): Outgoing | undefined {
    return this.#events.get(seq);
  }

  /** Keeps the event, unless one with this id came within the duplicate window. */
  append(id: string, event: Outgoing): { duplicate: boolean } {
    this.#forgetOldIds();
    if (this.#appendedAt.has(id)) return { duplicate: true };
    this.#appendedAt.set(id, this.#options.clock.monotonic());
    this.#events.set(this.#nextSeq++, event);
    this.#bytes += event.sizeBytes;
    const { maxEvents = 10_000, maxBytes = 64 * 1024 * 1024 } = this.#options;
    while (this.#events.size > maxEvents || this.#bytes > maxBytes) this.#dropOldest();
    return { duplicate: false };
  }

  #dropOldest(): void {
    this.#bytes -= this.#events.get(this.#firstSeq)?.sizeBytes ?? 0;
    this.#events.delete(this.#firstSeq++);
  }

  #forgetOldIds(): void {
    const horizon = this.#options.clock.monotonic() - this.#options.duplicateWindowMs;
    for (const [id, appendedAt] of this.#appendedAt) {
      if (appendedAt > horizon && this.#appendedAt.size < maxIds) return;
      this.#appendedAt.delete(id);
    }
  }
}
