import type { Kysely } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import { StorageDamaged } from "../../../core/storage/storage_damaged.ts";
import type { EventRow, EventStoreTables, GapRow } from "../tables.ts";

/** Gaps read by one statement. */
const gapPage = 1000;

/** Where the log says that it ends. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
  readonly events: number;
}

/** All SQL of the verification: rows as they are, whatever they hold. */
export class IntegrityStore {
  readonly #db: Kysely<EventStoreTables>;

  constructor(storage: Storage) {
    this.#db = storage.tables<EventStoreTables>();
  }

  /** Undefined where the row is not there, or holds what nobody wrote. */
  async head(): Promise<Head | undefined> {
    const row = await this.#db.selectFrom("event_store_head").select(["seq", "hash", "events"]).where(
      "id",
      "=",
      1,
    )
      .executeTakeFirst();
    const isHead = row && isCount(row.seq) && isCount(row.events) && typeof row.hash === "string";
    return isHead ? row : undefined;
  }

  /** Events from `from` to `to`, as many as asked for. */
  async events({ from, to }: { from: number; to: number }, limit: number): Promise<EventRow[]> {
    return await this.#db.selectFrom("event_store_event").selectAll().where("seq", ">=", from)
      .where("seq", "<=", to).orderBy("seq").limit(limit).execute();
  }

  /** The last sequence that there is an event of; 0 without any. */
  async lastSeq(): Promise<number> {
    const row = await this.#db.selectFrom("event_store_event").select("seq").orderBy("seq", "desc").limit(1)
      .executeTakeFirst();
    return row?.seq ?? 0;
  }

  /** Gaps that touch the range, in order: gaps do not overlap, so that only the last one before it may reach into it. */
  async gaps({ from, to }: { from: number; to: number }): Promise<GapRow[]> {
    const before = await this.#db.selectFrom("event_store_gap").selectAll().where("from_seq", "<", from)
      .orderBy("from_seq", "desc").limit(1).executeTakeFirst();
    const found = before && before.to_seq >= from ? [before] : [];
    for (let after = from - 1;;) {
      const page = await this.#db.selectFrom("event_store_gap").selectAll().where("from_seq", ">", after)
        .where("from_seq", "<=", to).orderBy("from_seq").limit(gapPage).execute();
      found.push(...page);
      if (page.length < gapPage) return found;
      after = page.at(-1)!.from_seq;
    }
  }

  /** Sequences that lie in gaps, all gaps together. */
  async removedSequences(): Promise<number> {
    let removed = 0;
    for (let after = 0;;) {
      const page = await this.#db.selectFrom("event_store_gap").select(["from_seq", "to_seq"])
        .where("from_seq", ">", after).orderBy("from_seq").limit(gapPage).execute();
      for (const { from_seq, to_seq } of page) removed += to_seq - from_seq + 1;
      if (page.length < gapPage) return removed;
      after = page.at(-1)!.from_seq;
    }
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Undefined in place of a result that the file is too damaged for. */
export async function unlessDamaged<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StorageDamaged) return undefined;
    throw error;
  }
}
