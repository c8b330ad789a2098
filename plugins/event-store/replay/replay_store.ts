import type { Kysely } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import type { EventFilter } from "../search/event_filter.ts";

/** What a replay is doing, or how it ended. */
export type ReplayState = "running" | "completed" | "cancelled" | "failed";

/** What a replay is to do; never changes. */
export interface ReplayOrder {
  readonly id: string;
  /** The agent that runs it, and takes it up again after a restart. */
  readonly nodeId: string;
  readonly filter: EventFilter;
  /** 0 = as fast as possible, 1 = as it happened, n = n times as fast. */
  readonly speed: number;
  /** Longest wait between two events, in milliseconds; null = as long as it takes. */
  readonly maxGapMs: number | null;
  /** Only events behind this sequence, up to `lastSeq` inclusive. */
  readonly afterSeq: number;
  readonly lastSeq: number;
  /** Name of the key that asked for it. */
  readonly startedBy: string | null;
  readonly startedAt: string;
}

/** How far a replay got. */
export interface ReplayProgress {
  /** Everything up to this sequence is done. */
  readonly position: number;
  readonly replayed: number;
  /** Events that the bus can never take under a longer subject. */
  readonly skipped: number;
  /** Why it failed, or what it waits for. */
  readonly error: string | null;
}

/** A replay with all that is known about it. */
export interface Replay extends ReplayOrder, ReplayProgress {
  readonly state: ReplayState;
  readonly endedAt: string | null;
}

interface ReplayRow {
  readonly id: string;
  readonly node_id: string;
  readonly state: ReplayState;
  /** JSON of the EventFilter. */
  readonly filter: string;
  readonly speed: number;
  readonly max_gap_ms: number | null;
  readonly after_seq: number;
  readonly last_seq: number;
  readonly position: number;
  readonly replayed: number;
  readonly skipped: number;
  readonly error: string | null;
  readonly started_by: string | null;
  readonly started_at: string;
  readonly ended_at: string | null;
}

interface ReplayTables {
  event_store_replay: ReplayRow;
}

/** All SQL of the replays. */
export class ReplayStore {
  readonly #db: Kysely<ReplayTables>;

  constructor(storage: Storage) {
    this.#db = storage.tables<ReplayTables>();
  }

  /** Keeps a new replay, which is running from now on. */
  async add(order: ReplayOrder): Promise<void> {
    await this.#db.insertInto("event_store_replay").values({
      id: order.id,
      node_id: order.nodeId,
      state: "running",
      filter: JSON.stringify(order.filter),
      speed: order.speed,
      max_gap_ms: order.maxGapMs,
      after_seq: order.afterSeq,
      last_seq: order.lastSeq,
      position: order.afterSeq,
      replayed: 0,
      skipped: 0,
      error: null,
      started_by: order.startedBy,
      started_at: order.startedAt,
      ended_at: null,
    }).execute();
  }

  async find(id: string): Promise<Replay | undefined> {
    const row = await this.#db.selectFrom("event_store_replay").selectAll().where("id", "=", id)
      .executeTakeFirst();
    return row && toReplay(row);
  }

  /** The newest first, behind `before` where it is given: ids rise with time. */
  async list({ before, limit }: { before: string | undefined; limit: number }): Promise<Replay[]> {
    let query = this.#db.selectFrom("event_store_replay").selectAll();
    if (before !== undefined) query = query.where("id", "<", before);
    return (await query.orderBy("id", "desc").limit(limit).execute()).map(toReplay);
  }

  /** What this node has to go on with. */
  async runningOn(nodeId: string): Promise<Replay[]> {
    const rows = await this.#db.selectFrom("event_store_replay").selectAll()
      .where("node_id", "=", nodeId).where("state", "=", "running").orderBy("id").execute();
    return rows.map(toReplay);
  }

  /** Writes down how far it got; resolves to its state, which another agent may have changed, or undefined when it is gone. */
  async save(
    id: string,
    { position, replayed, skipped, error }: ReplayProgress,
  ): Promise<ReplayState | undefined> {
    const row = await this.#db.updateTable("event_store_replay").set({ position, replayed, skipped, error })
      .where("id", "=", id).returning("state").executeTakeFirst();
    return row?.state;
  }

  async stateOf(id: string): Promise<ReplayState | undefined> {
    const row = await this.#db.selectFrom("event_store_replay").select("state").where("id", "=", id)
      .executeTakeFirst();
    return row?.state;
  }

  /** Ends a replay that is running, with how far it got where that is known; one that has ended stays as it is. */
  async end(
    id: string,
    { state, at, progress = {} }: { state: ReplayState; at: string; progress?: Partial<ReplayProgress> },
  ): Promise<void> {
    await this.#db.updateTable("event_store_replay").set({ error: null, ...progress, state, ended_at: at })
      .where("id", "=", id).where("state", "=", "running").execute();
  }

  /** Forgets all but the newest `keep` of those that have ended. */
  async prune(keep: number): Promise<void> {
    const oldest = await this.#db.selectFrom("event_store_replay").select("id").where(
      "state",
      "<>",
      "running",
    )
      .orderBy("id", "desc").offset(keep).limit(1).executeTakeFirst();
    if (!oldest) return;
    await this.#db.deleteFrom("event_store_replay").where("state", "<>", "running").where(
      "id",
      "<=",
      oldest.id,
    )
      .execute();
  }
}

function toReplay(row: ReplayRow): Replay {
  return {
    id: row.id,
    nodeId: row.node_id,
    state: row.state,
    filter: JSON.parse(row.filter),
    speed: row.speed,
    maxGapMs: row.max_gap_ms,
    afterSeq: row.after_seq,
    lastSeq: row.last_seq,
    position: row.position,
    replayed: row.replayed,
    skipped: row.skipped,
    error: row.error,
    startedBy: row.started_by,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}
