import type { EventRow, EventStoreTables } from "../tables.ts";
import { type ConsumerDesk, consumerNotFound } from "./consumer_desk.ts";
import type { ConsumerRow, DeadLetterRow } from "./consumer_tables.ts";
import { rereadEvents } from "./pending_events.ts";
import type { TakeContext } from "./take_deliveries.ts";

/** Dead letters that one call moves or removes in one transaction. */
const movedAtOnce = 1000;
/** Events that may wait for a delivery when dead letters join them. */
const maxPending = 10_000;

interface DeadLettersOptions extends TakeContext {
  readonly desk: ConsumerDesk;
}

/** A dead letter with its event, where that can be read. */
export interface DeadLetter {
  readonly letter: DeadLetterRow;
  readonly event: EventRow | undefined;
}

/** What was given up, and the way back. */
export class DeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  /** In the order of the log, behind `after`; `lastSeq` is where the next page goes on, undefined at the end. */
  async list(
    { name }: ConsumerRow,
    { after, limit }: { after: number; limit: number },
  ): Promise<{ items: readonly DeadLetter[]; lastSeq: number | undefined }> {
    const { storage, consumers, deliveries } = this.#options;
    const letters = await deliveries.dead(consumers.db, { consumer: name, after, limit });
    const seqs = letters.map(({ seq }) => seq);
    const { found, damaged, removed } = await rereadEvents(storage.tables<EventStoreTables>(), seqs);
    // Large events fill a page before its limit does.
    const read = letters.slice(0, found.size + damaged.length + removed.length);
    return {
      items: read.map((letter) => ({ letter, event: found.get(letter.seq) })),
      lastSeq: letters.length < limit && read.length === letters.length ? undefined : read.at(-1)?.seq,
    };
  }

  /**
   * Lets events be delivered anew, the oldest or the chosen ones, 1,000 at the most; tells how many are left. Rejects with
   * Problem 404 where the consumer is gone.
   */
  async replay(
    { name }: ConsumerRow,
    seqs: readonly number[] | undefined,
  ): Promise<{ replayed: number; remaining: number }> {
    const { consumers, deliveries, clock, desk } = this.#options;
    const answer = await consumers.transaction(async (trx) => {
      if (!await consumers.lock(trx, name)) throw consumerNotFound(name);
      const nowMs = clock.now();
      const { pending } = await deliveries.load(trx, { consumer: name, nowMs });
      const limit = Math.min(movedAtOnce, maxPending - pending);
      const moved = limit > 0 ? await deliveries.exhume(trx, { consumer: name, seqs, limit }) : [];
      await deliveries.insert(trx, {
        consumer: name,
        seqs: moved,
        token: "",
        deliveries: 0,
        nowMs,
        dueMs: nowMs,
      });
      await consumers.announce(trx);
      return { replayed: moved.length, remaining: await deliveries.deadCount(trx, name) };
    });
    desk.changed(name);
    return answer;
  }

  /** Forgets all of them, or one; returns how many there were. */
  async remove({ name }: ConsumerRow, seq?: number): Promise<number> {
    const { consumers, deliveries } = this.#options;
    const seqs = seq === undefined ? undefined : [seq];
    for (let removed = 0;;) {
      const some = await deliveries.exhume(consumers.db, { consumer: name, seqs, limit: movedAtOnce });
      removed += some.length;
      if (some.length < movedAtOnce) return removed;
    }
  }
}
