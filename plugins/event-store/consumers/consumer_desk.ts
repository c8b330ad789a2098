import type { Kysely } from "kysely";
import { timestamp } from "../../../core/clock.ts";
import { Problem } from "../../../core/errors.ts";
import { compileFilter } from "../stream/event_feed.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { EventRow } from "../tables.ts";
import type { ConsumerRow, ConsumerTables } from "./consumer_tables.ts";
import { filterOf } from "./consumer_view.ts";
import type { Delivered } from "./delivery_store.ts";
import { groupTokens, tokenOf } from "./delivery_token.ts";
import { noteOf, toDeadLetters } from "./failed_delivery.ts";
import { advance, type TakeContext, takeDeliveries, type Taken } from "./take_deliveries.ts";
import { TurnsByName } from "./turns_by_name.ts";
import { type WaitingFetch, WaitingFetches } from "./waiting_fetches.ts";

/** How often a waiting fetch looks without any hint: what another agent gave back shows at the latest then. */
const pollMs = 1000;

interface DeskOptions extends TakeContext {
  readonly tail: EventTail;
  /** Fetches that may wait at the same time. */
  readonly maxWaiting: number;
}

/** What became of deliveries that a worker answered. */
export interface Answered {
  readonly done: number;
  /** Deliveries that are not the worker's any more. */
  readonly stale: readonly string[];
}

/** Where workers get events and answer for them. */
export class ConsumerDesk {
  readonly #options: DeskOptions;
  readonly #turns = new TurnsByName();
  readonly #waiting = new WaitingFetches();
  #fetching = 0;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Listens for new events until the returned function is called. */
  open(): () => void {
    return this.#options.tail.listen((rows) => this.#waiting.passed(rows));
  }

  /** Something about the consumer changed that a waiting fetch may have waited for. */
  changed(name: string): void {
    this.#waiting.wake(name);
  }

  /** Hears of what may be there for a consumer. */
  watch(name: string, accepts: (row: EventRow) => boolean): WaitingFetch {
    return this.#waiting.join(name, accepts);
  }

  /** The next events at once. Rejects with Problem 404 where the consumer is gone. */
  async take(name: string, limit: number): Promise<Taken> {
    const taken = await this.#turns.take(name, () => takeDeliveries(this.#options, { name, limit }));
    if (taken) return taken;
    throw consumerNotFound(name);
  }

  /**
   * The next events; where there are none, those that come within `waitMs`, else none. An abort ends the wait and takes
   * nothing any more. Rejects with Problem 404, and with 503 where too many wait.
   */
  async fetch(
    consumer: ConsumerRow,
    { limit, waitMs, signal }: { limit: number; waitMs: number; signal: AbortSignal },
  ): Promise<Taken> {
    const { clock } = this.#options;
    const { name } = consumer;
    if (waitMs > 0 && this.#fetching >= this.#options.maxWaiting) {
      throw tooManyWaiting(this.#fetching);
    }
    const waiter = this.#waiting.join(name, compileFilter(filterOf(consumer)));
    const deadlineMs = clock.monotonic() + waitMs;
    this.#fetching++;
    try {
      for (;;) {
        waiter.look();
        const taken = await this.take(name, limit);
        if (taken.handouts.length > 0) {
          if (taken.more) this.#waiting.wake(name);
          return taken;
        }
        const leftMs = deadlineMs - clock.monotonic();
        if (leftMs <= 0 || signal.aborted) {
          if (taken.scannedTo > consumer.position) await this.#passOver(consumer, taken.scannedTo);
          return taken;
        }
        if (taken.more) continue;
        const dueInMs = taken.nextDueMs === null ? Infinity : Math.max(1, taken.nextDueMs - clock.now());
        await waiter.wait(Math.min(leftMs, dueInMs, pollMs), signal);
        if (signal.aborted) return taken;
      }
    } finally {
      this.#fetching--;
      waiter.leave();
    }
  }

  #passOver(consumer: ConsumerRow, position: number): Promise<void> {
    return this.#turns.take(consumer.name, () => advance(this.#options, consumer, position));
  }

  /** These are done with; each has to look like a token. */
  async acknowledge({ name }: ConsumerRow, tokens: readonly string[]): Promise<Answered> {
    const { consumers, deliveries } = this.#options;
    const acknowledge = (db: Database, group: Delivered) => deliveries.acknowledge(db, group);
    const groups = groupTokens(name, tokens);
    const answered = groups.length === 1
      ? await eachGroup(consumers.db, groups, acknowledge)
      : await consumers.transaction((trx) => eachGroup(trx, groups, acknowledge));
    this.#waiting.wake(name);
    return answered;
  }

  /** These failed: they come again after the delay, or become dead letters where that was the last delivery. */
  async giveBack(
    { name, max_deliveries: maxDeliveries }: ConsumerRow,
    tokens: readonly string[],
    { delayMs, error }: { delayMs: number; error?: string | undefined },
  ): Promise<Answered & { dead: number }> {
    const { consumers, deliveries, clock } = this.#options;
    const nowMs = clock.now();
    const diedAt = timestamp(clock);
    const note = noteOf(error ?? "given back without a reason", diedAt);
    let dead = 0;
    const answered = await consumers.transaction(async (trx) => {
      const given = await eachGroup(trx, groupTokens(name, tokens), async (db, group) => {
        const again = await deliveries.giveBack(db, {
          ...group,
          note,
          nowMs,
          dueMs: nowMs + delayMs,
          maxDeliveries,
        });
        const left = await deliveries.takeInHand(db, group);
        await deliveries.bury(trx, toDeadLetters(left, { reason: "max_deliveries", diedAt, note }));
        dead += left.length;
        return [...again, ...left.map(({ seq }) => seq)];
      });
      await consumers.announce(trx);
      return given;
    });
    this.#waiting.wake(name);
    return { ...answered, dead };
  }

  /** A new lease for these, of `forMs` from now. */
  async extend({ name }: ConsumerRow, tokens: readonly string[], forMs: number): Promise<Answered> {
    const { consumers, deliveries, clock } = this.#options;
    const nowMs = clock.now();
    return await consumers.transaction((trx) =>
      eachGroup(
        trx,
        groupTokens(name, tokens),
        (db, group) => deliveries.extend(db, { ...group, nowMs, dueMs: nowMs + forMs }),
      )
    );
  }
}

type Database = Kysely<ConsumerTables>;

/** Collects the answers of the groups; `work` returns the sequences that were still in hand. */
async function eachGroup(
  db: Database,
  groups: readonly Delivered[],
  work: (db: Database, group: Delivered) => Promise<readonly number[]>,
): Promise<Answered> {
  let done = 0;
  const stale: string[] = [];
  for (const group of groups) {
    const inHand = await work(db, group);
    done += inHand.length;
    if (inHand.length === group.seqs.length) continue;
    const good = new Set(inHand);
    for (const seq of group.seqs) if (!good.has(seq)) stale.push(tokenOf(seq, group.token));
  }
  return { done, stale };
}

/** What is said about a consumer that is not there, or not for this key. */
export function consumerNotFound(name: string): Problem {
  return new Problem(404, "consumer_not_found", {
    detail: `There is no consumer "${name}"; PUT /api/events/consumers/${name} makes one`,
  });
}

function tooManyWaiting(count: number): Problem {
  return new Problem(503, "too_many_waiting", {
    detail: `${count} fetches wait, which is all this agent allows; try again later, or without a wait`,
    extras: { retry_after: 1 },
  });
}
