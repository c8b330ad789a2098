import { type Kysely, sql, type Transaction } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import type { EventStoreTables, GapRow, RetentionRow, RetentionRuleRow } from "../tables.ts";
import { unackedFloors } from "../consumers/consumer_store.ts";
import type { ConsumerTables } from "../consumers/consumer_tables.ts";
import type { LogEntry } from "./plan_sweep.ts";
import { Protection } from "./protection.ts";
import type { Tally } from "./rule_progress.ts";

/** Rows named in one statement. */
const statementRows = 64;
/** How long an agent stays the one that removes without doing anything, in milliseconds. */
const holdMs = 120_000;

/** The right to remove, and what it was given for. */
export interface Hold {
  readonly holder: string;
  readonly generation: number;
}

/** One transaction's worth. */
export interface Removal {
  readonly hold: Hold;
  readonly nowMs: number;
  readonly doomed: readonly LogEntry[];
  /** Gaps by `from_seq`. */
  readonly dropped: readonly number[];
  readonly added: readonly GapRow[];
  /** By subject of the rule. */
  readonly removed: ReadonlyMap<string, Tally>;
  /** Whether, as things are now, none of them has to stay. */
  readonly isAllowed: (protection: Protection) => boolean;
}

/** Another agent has removed events since this one counted the log, or does so now. */
export class Superseded extends Error {
  override readonly name = "Superseded";

  constructor() {
    super(`Cannot remove events: another agent on this database does`);
  }
}

/** All SQL of retention. */
export class RetentionStore {
  readonly #db: Kysely<EventStoreTables>;
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#db = storage.tables<EventStoreTables>();
  }

  /** The first `limit` events from `from` up to `to`, without their payloads. */
  async entries({ from, to }: { from: number; to: number }, limit: number): Promise<LogEntry[]> {
    return await this.#db.selectFrom("event_store_event")
      .select(["seq", "subject", "node_id", "arrival", "stored_ms", "hash"])
      .select(sql<number>`octet_length(payload)`.as("bytes"))
      .where("seq", ">=", from).where("seq", "<=", to).orderBy("seq").limit(limit).execute();
  }

  /** The gaps that lie between two sequences, or touch them. */
  async gapsAround({ from, to }: { from: number; to: number }): Promise<GapRow[]> {
    const before = await this.#db.selectFrom("event_store_gap").selectAll()
      .where("from_seq", "<", from).orderBy("from_seq", "desc").limit(1).execute();
    const inside = await this.#db.selectFrom("event_store_gap").selectAll()
      .where("from_seq", ">=", from).where("from_seq", "<=", to + 1).orderBy("from_seq").execute();
    return [...before, ...inside];
  }

  async protection(db: Kysely<EventStoreTables> = this.#db): Promise<Protection> {
    const rows = await db.selectFrom("event_store_relay").select(["node_id", "seq"]).orderBy("node_id")
      .execute();
    const relayed = new Map(rows.map(({ node_id, seq }) => [node_id, seq]));
    return new Protection({ relayed, floors: await unackedFloors(db as unknown as Kysely<ConsumerTables>) });
  }

  /** The right to remove as it was last given; undefined where another agent has it. */
  async hold(holder: string, nowMs: number): Promise<Hold | undefined> {
    const row = await this.#db.selectFrom("event_store_retention").selectAll().where("id", "=", 1)
      .executeTakeFirstOrThrow();
    return isFree(row, { holder, nowMs }) ? { holder, generation: row.generation } : undefined;
  }

  /**
   * Removes events in one transaction. False, and nothing is removed, where one of them has to stay after all. Rejects
   * with Superseded.
   */
  async remove(removal: Removal): Promise<boolean> {
    return await this.#db.transaction().execute(async (trx) => {
      await this.#renew(trx, { ...removal, generations: 1 });
      if (!removal.isAllowed(await this.protection(trx))) throw held;
      const seqs = removal.doomed.map(({ seq }) => seq);
      for (const chunk of chunks(seqs)) {
        await trx.deleteFrom("event_store_event").where("seq", "in", chunk).execute();
        await trx.deleteFrom("event_store_parked").where("seq", "in", chunk).execute();
      }
      for (const chunk of chunks(removal.dropped)) {
        await trx.deleteFrom("event_store_gap").where("from_seq", "in", chunk).execute();
      }
      for (let start = 0; start < removal.added.length; start += statementRows) {
        const rows = removal.added.slice(start, start + statementRows);
        await trx.insertInto("event_store_gap").values(rows).execute();
      }
      for (const [subject, tally] of removal.removed) {
        await this.#count(trx, { subject, tally, nowMs: removal.nowMs });
      }
      // Last, since every append waits for this row.
      await trx.updateTable("event_store_head").where("id", "=", 1)
        .set((row) => ({ events: row("events", "-", seqs.length) })).execute();
      return true;
    }).catch((error) => {
      if (error === held) return false;
      throw error;
    });
  }

  /** Writes down what falls under each rule. Rejects with Superseded. */
  async save(hold: Hold, { rows, nowMs }: {
    rows: readonly Omit<RetentionRuleRow, "removed_events" | "removed_bytes" | "run_at">[];
    nowMs: number;
  }): Promise<void> {
    const run_at = new Date(nowMs).toISOString();
    await this.#db.transaction().execute(async (trx) => {
      await this.#renew(trx, { hold, nowMs, generations: 0 });
      for (const row of rows) {
        await trx.insertInto("event_store_retention_rule")
          .values({ ...row, run_at, removed_events: 0, removed_bytes: 0 })
          .onConflict((conflict) => conflict.column("subject").doUpdateSet({ ...row, run_at })).execute();
      }
    });
  }

  /** What was last written down, by subject of the rule. */
  async saved(): Promise<ReadonlyMap<string, RetentionRuleRow>> {
    const rows = await this.#db.selectFrom("event_store_retention_rule").selectAll().execute();
    return new Map(rows.map((row) => [row.subject, row]));
  }

  /** From here to the commit no other agent removes anything. */
  async #renew(
    trx: Transaction<EventStoreTables>,
    { hold: { holder, generation }, nowMs, generations }: { hold: Hold; nowMs: number; generations: number },
  ): Promise<void> {
    const query = trx.selectFrom("event_store_retention").selectAll().where("id", "=", 1);
    const row = await (this.#storage.kind === "postgres" ? query.forUpdate() : query)
      .executeTakeFirstOrThrow();
    if (row.generation !== generation || !isFree(row, { holder, nowMs })) throw new Superseded();
    await trx.updateTable("event_store_retention").where("id", "=", 1)
      .set({ holder, held_until_ms: nowMs + holdMs, generation: generation + generations }).execute();
  }

  async #count(
    trx: Transaction<EventStoreTables>,
    { subject, tally, nowMs }: { subject: string; tally: Tally; nowMs: number },
  ): Promise<void> {
    const removed = { removed_events: tally.events, removed_bytes: tally.bytes };
    const run_at = new Date(nowMs).toISOString();
    await trx.insertInto("event_store_retention_rule")
      .values({ subject, events: 0, bytes: 0, oldest: null, run_at, ...removed })
      .onConflict((conflict) =>
        conflict.column("subject").doUpdateSet((row) => ({
          run_at,
          removed_events: row("event_store_retention_rule.removed_events", "+", tally.events),
          removed_bytes: row("event_store_retention_rule.removed_bytes", "+", tally.bytes),
        }))
      ).execute();
  }
}

/** Rolls a removal back. */
const held = new Error("An event has to stay");

function isFree(row: RetentionRow, { holder, nowMs }: { holder: string; nowMs: number }): boolean {
  return row.holder === holder || row.held_until_ms <= nowMs;
}

/** Equally long, by repeating the last, so that one statement serves them all. */
function* chunks(numbers: readonly number[]): Generator<number[]> {
  for (let start = 0; start < numbers.length; start += statementRows) {
    const chunk = numbers.slice(start, start + statementRows);
    while (chunk.length < statementRows) chunk.push(chunk[0]!);
    yield chunk;
  }
}
