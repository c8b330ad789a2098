import type { Subscription } from "../../../core/bus/bus.ts";
import type { Clock } from "../../../core/clock.ts";
import { Problem } from "../../../core/errors.ts";
import type { AppendOptions, Envelope, Journal, Published } from "../../../core/events.ts";
import type { CommitQueue } from "../../../core/storage/commit_queues.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { Draft, Landed } from "./draft.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { EventStore } from "../store.ts";
import type { Arrival } from "../tables.ts";

interface EventLogOptions {
  readonly store: EventStore;
  readonly storage: Storage;
  readonly group: GroupCommit;
  readonly clock: Clock;
  readonly maxPayloadBytes: number;
  readonly consume: Journal["consume"];
  readonly onLanded: (landed: Pick<Landed, "duplicate">) => void;
}

/** What an author outside may decide about an event. */
export interface Given {
  readonly idGiven: boolean;
  readonly correlationGiven: boolean;
  readonly expectedSeq?: number | undefined;
  /** Default: published. */
  readonly arrival?: Arrival;
  /** JSON text; see EventContent. */
  readonly attributes?: string | null;
}

/** The store of record: every event of this agent goes through here. */
export class EventLog implements Journal {
  readonly #options: EventLogOptions;
  readonly #atCommit: CommitQueue<Draft> = {
    flush: async (trx, drafts) => {
      const { store, clock } = this.#options;
      await store.appendIn(trx, { drafts, nowMs: clock.now() });
    },
    committed: (drafts) => drafts.forEach(() => this.#options.onLanded({ duplicate: false })),
  };

  constructor(options: EventLogOptions) {
    this.#options = options;
  }

  /**
   * For what plugins publish. In a caller's transaction the event gets its place right before the commit, so that a long
   * transaction holds nobody up; only where it expects a sequence, the end of the log is locked from here on.
   */
  append(envelope: Envelope, { trx, expectedSeq }: AppendOptions = {}): Promise<Published> {
    const draft = this.draft(envelope, { idGiven: false, correlationGiven: false, expectedSeq });
    if (!trx) return this.#options.group.append(draft);
    return expectedSeq === undefined ? this.#appendAtCommit(trx, draft) : this.#appendIn(trx, draft);
  }

  consume(...[options, handle]: Parameters<Journal["consume"]>): Subscription {
    return this.#options.consume(options, handle);
  }

  /** For what comes in from outside. Rejects with Problem 409 on a conflict, 503 when it could not be stored. */
  accept(draft: Draft): Promise<Landed> {
    return this.#options.group.append(draft);
  }

  /** All of them in one transaction, or none, one behind the other. Rejects with Problem 409 `batch_conflict`, or 503. */
  acceptAll(drafts: readonly Draft[]): Promise<readonly Landed[]> {
    return this.#options.group.appendAll(drafts);
  }

  /** The event as it goes into the log. Throws Problem 413 for a payload that is too large. */
  draft(envelope: Envelope, given: Given): Draft {
    const payload = JSON.stringify(envelope.data);
    const { maxPayloadBytes } = this.#options;
    // A character is at most three bytes in UTF-8: only near the limit does it have to be counted.
    if (payload.length * 3 > maxPayloadBytes && byteLength(payload) > maxPayloadBytes) {
      throw new Problem(413, "payload_too_large", {
        detail: `The payload has ${byteLength(payload)} bytes, allowed are ${maxPayloadBytes}; ` +
          "store large things elsewhere and publish where they lie",
      });
    }
    return { envelope, payload, ...given };
  }

  async #appendAtCommit(trx: NonNullable<AppendOptions["trx"]>, draft: Draft): Promise<Published> {
    await this.#options.storage.beforeCommit(trx, { queue: this.#atCommit, item: draft });
    const { id, correlationId, time } = draft.envelope;
    return { id, correlationId, time, duplicate: false };
  }

  async #appendIn(trx: NonNullable<AppendOptions["trx"]>, draft: Draft): Promise<Landed> {
    const { store, clock } = this.#options;
    const { results: [result] } = await store.appendIn(trx, { drafts: [draft], nowMs: clock.now() });
    if (result instanceof Problem) throw result;
    this.#options.onLanded(result!);
    return result!;
  }
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
