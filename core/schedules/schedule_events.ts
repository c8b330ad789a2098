import type { Transaction } from "kysely";
import { z } from "zod";
import { type CallContext, currentContext, withContext } from "../context.ts";
import { defineEvent, type Event } from "../events.ts";
import type { JournalSlot } from "../journal_slot.ts";
import type { Logger } from "../log.ts";
import type { Publisher } from "../publisher.ts";
import type { CommitQueue } from "../storage/commit_queues.ts";
import type { Storage } from "../storage/storage.ts";
import { runReasons, type ScheduleRow } from "./schedule_tables.ts";

const schedule = { schedule_id: z.string(), name: z.string(), job: z.string() };
const planned = { planned_at: z.string(), reason: z.enum(runReasons) };
const defineChange = (type: string) => defineEvent(type, z.object(schedule));

/** Somebody made it. */
export const scheduleCreated = defineChange("schedule.created");
/** Somebody changed what it does, or when. */
export const scheduleChanged = defineChange("schedule.changed");
/** Somebody let it run. */
export const scheduleEnabled = defineChange("schedule.enabled");
/** Somebody had it rest. */
export const scheduleDisabled = defineChange("schedule.disabled");
/** Somebody removed it. */
export const scheduleDeleted = defineChange("schedule.deleted");
/** It has started a job. */
export const scheduleTriggered = defineEvent(
  "schedule.triggered",
  z.object({ ...schedule, ...planned, job_id: z.string() }),
);
/** It was due and has started nothing: `note` says why. */
export const scheduleSkipped = defineEvent(
  "schedule.skipped",
  z.object({ ...schedule, ...planned, note: z.string() }),
);
/** Nobody was there when it was due, and these occurrences are not made up for. */
export const scheduleMissed = defineEvent(
  "schedule.missed",
  z.object({
    ...schedule,
    count: z.int().describe("1000 at the most: there may be older ones then"),
    first_at: z.string(),
    last_at: z.string(),
  }),
);

/** One fact about one schedule. */
export interface ScheduleNews<Data> {
  readonly event: Event<Data & { schedule_id: string; name: string; job: string }>;
  readonly data: Data;
}

interface Posting {
  readonly row: ScheduleRow;
  readonly event: Event<unknown>;
  readonly data: unknown;
  readonly context: CallContext | undefined;
}

interface ScheduleEventsOptions {
  readonly storage: Storage;
  readonly publisher: Publisher;
  readonly journal: JournalSlot;
  readonly log: Logger;
  /** Called after each commit in which a schedule was changed. */
  readonly onChange: () => void;
}

/** Publishes what happens to schedules: in the transaction of the change where events are kept, else right behind it. */
export class ScheduleEvents {
  readonly #options: ScheduleEventsOptions;
  readonly #atCommit: CommitQueue<Posting> = {
    flush: async (trx) => await this.#options.storage.announce(trx),
    committed: (postings) => {
      this.#options.onChange();
      if (!this.#options.journal.isExpected) postings.forEach((posting) => this.#publishLater(posting));
    },
  };

  constructor(options: ScheduleEventsOptions) {
    this.#options = options;
  }

  /** The fact is there if, and only if, the transaction commits. Rejects with Problem 503 while events cannot be kept. */
  async postIn<Data>(
    // deno-lint-ignore no-explicit-any -- a transaction over whichever tables
    trx: Transaction<any>,
    row: ScheduleRow,
    news: ScheduleNews<Data>,
  ): Promise<void> {
    const data = { schedule_id: row.id, name: row.name, job: row.job, ...news.data };
    const event = news.event as Event<unknown>;
    const posting = { row, event, data, context: currentContext() };
    if (this.#options.journal.isExpected) await this.#publish(posting, trx);
    await this.#options.storage.beforeCommit(trx, { queue: this.#atCommit, item: posting });
  }

  #publishLater(posting: Posting): void {
    const publish = () => this.#publish(posting);
    const published = posting.context ? withContext(posting.context, publish) : publish();
    published.catch((error) => {
      this.#options.log.warn("an event about a schedule could not be published", {
        type: posting.event.type,
        schedule_id: posting.row.id,
        error,
      });
    });
  }

  // deno-lint-ignore no-explicit-any -- a transaction over whichever tables
  async #publish({ row, event, data }: Posting, trx?: Transaction<any>): Promise<void> {
    await this.#options.publisher.publish(event, data, {
      service: "schedules",
      project: row.project ?? undefined,
      trx,
    });
  }
}
