import type { Logger } from "../log.ts";
import type { JobBoard } from "./job_board.ts";
import type { JobReader } from "./job_reader.ts";
import type { JobSummary } from "./job_tables.ts";

/** Longest time between the clock of a change and its commit that is reckoned with, in milliseconds. */
const overlapMs = 2000;
const pageSize = 500;

interface ChangeScoutOptions {
  readonly reader: JobReader;
  readonly board: JobBoard;
  readonly log: Logger;
}

/** Puts up what other agents changed, as long as somebody here watches. */
export class ChangeScout {
  readonly #options: ChangeScoutOptions;
  /** What was put up, and need not be again: id -> version and when it was changed. */
  readonly #seen = new Map<string, { readonly version: number; readonly updatedMs: number }>();
  #markMs: number | undefined;
  #isWatched = false;
  #looking: Promise<void> | undefined;
  #again = false;

  constructor(options: ChangeScoutOptions) {
    this.#options = options;
  }

  /** Whether somebody watches from now on. */
  watch(isWatched: boolean): void {
    this.#isWatched = isWatched;
    this.#markMs = undefined;
    this.#seen.clear();
    if (isWatched) this.look();
  }

  /** To be told of every change that was put up. */
  noticed({ id, version, updated_ms: updatedMs }: JobSummary): void {
    if (this.#isWatched && (this.#seen.get(id)?.version ?? 0) < version) {
      this.#seen.set(id, { version, updatedMs });
    }
  }

  /** Looks for changes, soon and once however often it is called. */
  look(): void {
    this.#again = true;
    this.#looking ??= this.#lookAll().finally(() => this.#looking = undefined);
  }

  /** Resolves when it does not read any more. */
  async stop(): Promise<void> {
    this.#isWatched = false;
    await this.#looking;
  }

  async #lookAll(): Promise<void> {
    try {
      while (this.#again && this.#isWatched) {
        this.#again = false;
        await this.#lookOnce();
      }
    } catch (error) {
      this.#options.log.debug("changes of other agents could not be read", { error });
    }
  }

  async #lookOnce(): Promise<void> {
    const { reader, board } = this.#options;
    this.#markMs ??= await reader.lastChange();
    for (let fromMs = this.#markMs - overlapMs; this.#isWatched;) {
      const rows = await reader.changedSince(fromMs, pageSize);
      for (const row of rows) {
        if ((this.#seen.get(row.id)?.version ?? 0) < row.version) board.post(row);
      }
      const lastMs = rows.at(-1)?.updated_ms ?? fromMs;
      this.#markMs = Math.max(this.#markMs, lastMs);
      if (rows.length < pageSize || lastMs === fromMs) break;
      fromMs = lastMs;
    }
    for (const [id, { updatedMs }] of this.#seen) {
      if (updatedMs < this.#markMs - overlapMs) this.#seen.delete(id);
    }
  }
}
