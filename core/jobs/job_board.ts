import type { Transaction } from "kysely";
import type { Logger } from "../log.ts";
import type { CommitQueue } from "../storage/commit_queues.ts";
import type { Storage } from "../storage/storage.ts";
import type { JobEvents, JobNews } from "./job_events.ts";
import type { JobSummary } from "./job_tables.ts";

/** A change that waits for its commit. */
interface Posting {
  readonly row: JobSummary;
  readonly news?: JobNews | undefined;
}

interface JobBoardOptions {
  readonly storage: Storage;
  readonly events: JobEvents;
  readonly log: Logger;
}

/** Where every change of a job is put up, once it is committed, for whoever is in this process. */
export class JobBoard {
  readonly #options: JobBoardOptions;
  readonly #listeners = new Set<(row: JobSummary) => void>();
  readonly #atCommit: CommitQueue<Posting> = {
    flush: async (trx) => await this.#options.storage.announce(trx),
    committed: (postings) => {
      for (const { row, news } of postings) {
        this.post(row);
        if (news) this.#options.events.publishAfter(news);
      }
    },
  };

  constructor(options: JobBoardOptions) {
    this.#options = options;
  }

  /** Puts up a change when its transaction commits, and tells the other agents; resolves to the id of the event. */
  async postIn<Data>(
    // deno-lint-ignore no-explicit-any -- a transaction over whichever tables
    trx: Transaction<any>,
    row: JobSummary,
    news?: Omit<JobNews<Data>, "row">,
  ): Promise<string | undefined> {
    const full = news && { ...news, row } as JobNews;
    const eventId = full && await this.#options.events.publishIn(trx, full);
    await this.#options.storage.beforeCommit(trx, { queue: this.#atCommit, item: { row, news: full } });
    return eventId;
  }

  /** Puts up how a job is now. */
  post(row: JobSummary): void {
    for (const listener of this.#listeners) {
      try {
        listener(row);
      } catch (error) {
        this.#options.log.error("a listener of jobs failed", { error });
      }
    }
  }

  /** Calls the listener with every change; the returned function ends that. */
  listen(listener: (row: JobSummary) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
