import type { Transaction } from "kysely";
import { z } from "zod";
import { withContext } from "../context.ts";
import { defineEvent, type Event } from "../events.ts";
import type { Principal } from "../http/principal.ts";
import type { JournalSlot } from "../journal_slot.ts";
import type { Logger } from "../log.ts";
import type { Publisher } from "../publisher.ts";
import type { JobSummary } from "./job_tables.ts";

const job = { job_id: z.string(), name: z.string(), attempt: z.int() };
const fault = z.object({ message: z.string(), code: z.string() });

/** A job is there, and will run when its time comes. */
export const jobEnqueued = defineEvent(
  "job.enqueued",
  z.object({ ...job, run_at: z.string(), priority: z.int() }),
);
/** An agent began an attempt. */
export const jobStarted = defineEvent("job.started", z.object({ ...job, node_id: z.string() }));
/** An attempt failed, and another one follows at `run_at`. */
export const jobWaiting = defineEvent("job.waiting", z.object({ ...job, run_at: z.string(), error: fault }));
/** It is done; its result is kept with it. */
export const jobCompleted = defineEvent("job.completed", z.object({ ...job, duration_ms: z.number() }));
/** It failed for good. */
export const jobFailed = defineEvent("job.failed", z.object({ ...job, error: fault }));
/** Somebody had it ended. */
export const jobCancelled = defineEvent("job.cancelled", z.object(job));
/** Its agent stopped, or was lost; it goes on elsewhere, or after the restart. */
export const jobReturned = defineEvent(
  "job.returned",
  z.object({ ...job, node_id: z.string(), reason: z.enum(["stopped", "lost"]) }),
);
/** Somebody had it begin anew. */
export const jobRetried = defineEvent("job.retried", z.object(job));

/** One fact about one job, not yet published. */
export interface JobNews<Data = unknown> {
  readonly row: JobSummary;
  readonly event: Event<Data>;
  readonly data: Data;
  /** Whose call it is; absent for what the agent does by itself. */
  readonly by?: Principal | undefined;
}

interface JobEventsOptions {
  readonly publisher: Publisher;
  readonly journal: JournalSlot;
  readonly log: Logger;
}

/** Publishes what happens to jobs: in the transaction of the change where events are kept, else right behind it. */
export class JobEvents {
  readonly #options: JobEventsOptions;

  constructor(options: JobEventsOptions) {
    this.#options = options;
  }

  /** False while the plugin that keeps the events is stopped: no state can change then, since nobody would hear of it. */
  get possible(): boolean {
    const { journal } = this.#options;
    return !journal.isExpected || journal.current !== undefined;
  }

  /** Returns the id of the event; undefined where it has to be published after the commit. Rejects with Problem 503. */
  async publishIn<Tables>(trx: Transaction<Tables>, news: JobNews): Promise<string | undefined> {
    if (!this.#options.journal.isExpected) return undefined;
    return (await this.#publish(news, trx)).id;
  }

  /** For agents that keep no events; what the bus does not take is lost, as any event is there. */
  publishAfter(news: JobNews): void {
    if (this.#options.journal.isExpected) return;
    this.#publish(news).catch((error) => {
      this.#options.log.warn("an event about a job could not be published", {
        type: news.event.type,
        job_id: news.row.id,
        error,
      });
    });
  }

  // deno-lint-ignore no-explicit-any -- a transaction over whichever tables
  #publish({ row, event, data, by }: JobNews, trx?: Transaction<any>) {
    const context = {
      correlationId: row.correlation_id,
      causationId: row.causation_id ?? undefined,
      traceparent: row.traceparent ?? undefined,
      principal: by,
    };
    return withContext(context, () =>
      this.#options.publisher.publish(event, data, {
        service: "jobs",
        project: row.project ?? undefined,
        trx,
      }));
  }
}
