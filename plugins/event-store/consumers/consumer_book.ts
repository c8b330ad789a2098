import { timestamp } from "../../../core/clock.ts";
import { Problem } from "../../../core/errors.ts";
import { type Principal, seesProject } from "../../../core/http/principal.ts";
import { firstStoredSince } from "../search/scan_events.ts";
import { parseTimeExpression } from "../search/time_expression.ts";
import { type ConsumerDesk, consumerNotFound } from "./consumer_desk.ts";
import type { ConsumerSettings, ConsumerStart } from "./consumer_json.ts";
import type { ConsumerRow } from "./consumer_tables.ts";
import { narrowingText, projectsOf } from "./consumer_view.ts";
import type { Load } from "./delivery_store.ts";
import type { TakeContext } from "./take_deliveries.ts";

/** Rows that one statement deletes, so that it holds the loop for a moment only. */
const deletedAtOnce = 1000;

interface BookOptions extends TakeContext {
  readonly desk: ConsumerDesk;
  /** Consumers for workers outside at the most. */
  readonly maxConsumers: number;
}

/** A consumer as the holder of a key wants it. */
interface Wanted {
  readonly settings: ConsumerSettings;
  readonly principal: Principal | undefined;
}

/** How a consumer stands. */
export interface ConsumerState {
  readonly load: Load;
  readonly deadLetters: number;
  readonly headSeq: number;
}

/** Which consumers there are, and how they stand. */
export class ConsumerBook {
  readonly #options: BookOptions;

  constructor(options: BookOptions) {
    this.#options = options;
  }

  /** Rejects with Problem 404 where there is none, or none that the key may see. */
  async find(name: string, principal: Principal | undefined): Promise<ConsumerRow> {
    const row = await this.#options.consumers.get(name);
    if (row && mayUse(principal, row)) return row;
    throw consumerNotFound(name);
  }

  /** The same for one that workers outside use. Rejects with Problem 409 where a plugin does. */
  async findOpen(name: string, principal: Principal | undefined): Promise<ConsumerRow> {
    const row = await this.find(name, principal);
    if (row.owner === null) return row;
    throw ownedBy(row.owner, name);
  }

  /**
   * Makes a consumer, or changes the one there is. Rejects with Problem 409 where that starts elsewhere, or belongs to
   * somebody else, and where there are too many.
   */
  async put(name: string, wanted: Wanted): Promise<{ created: boolean; row: ConsumerRow }> {
    const { consumers } = this.#options;
    if (!await consumers.get(name)) {
      const row = await this.#newRow(name, wanted);
      if (await consumers.count() >= this.#options.maxConsumers) throw tooMany(this.#options.maxConsumers);
      await this.#clear(name); // what was left behind when one of that name was deleted
      if (await consumers.insert(row)) return { created: true, row };
    }
    const row = await this.#change(name, wanted);
    this.#options.desk.changed(name);
    return { created: false, row };
  }

  async #newRow(name: string, { settings, principal }: Wanted): Promise<ConsumerRow> {
    const { start = "new" } = settings;
    return {
      name,
      ...changeableOf(settings),
      projects: principal?.projects ? JSON.stringify(principal.projects) : null,
      owner: null,
      start: JSON.stringify(start),
      position: await this.#positionOf(start),
      paused: 0,
      orderly: 0,
      created_at: timestamp(this.#options.clock),
    };
  }

  async #positionOf(start: ConsumerStart): Promise<number> {
    const { events, clock } = this.#options;
    if (start === "first") return 0;
    const head = await events.headSeq();
    if (start === "new") return head;
    if ("time" in start) {
      const since = parseTimeExpression(start.time, clock.now())!;
      return await firstStoredSince(events, since, { from: 1, to: head }) - 1;
    }
    if (start.seq <= head + 1) return start.seq - 1;
    throw new Problem(409, "beyond_end", {
      detail: `The log does not reach to ${start.seq}; its last sequence is ${head}`,
    });
  }

  #change(name: string, { settings, principal }: Wanted): Promise<ConsumerRow> {
    const { consumers } = this.#options;
    return consumers.transaction(async (trx) => {
      const row = await consumers.lock(trx, name);
      if (!row) throw consumerNotFound(name);
      if (!mayUse(principal, row)) {
        throw new Problem(409, "consumer_exists", {
          detail: `The name "${name}" is taken; choose another one`,
        });
      }
      if (row.owner !== null) throw ownedBy(row.owner, name);
      if (settings.start !== undefined && JSON.stringify(settings.start) !== row.start) {
        throw new Problem(409, "consumer_started", {
          detail:
            `"${name}" started at ${row.start} and cannot start elsewhere; delete it first, or leave out start`,
        });
      }
      const change = changeableOf(settings);
      await consumers.updateIn(trx, { name, change });
      await consumers.announce(trx);
      return { ...row, ...change };
    });
  }

  /** Pauses it, or lets it go on. */
  async pause({ name }: ConsumerRow, paused: boolean): Promise<ConsumerRow> {
    const { consumers, desk } = this.#options;
    const row = await consumers.transaction(async (trx) => {
      const now = await consumers.lock(trx, name);
      if (!now) throw consumerNotFound(name);
      const change = { paused: paused ? 1 : 0 };
      if (now.paused !== change.paused) await consumers.updateIn(trx, { name, change });
      await consumers.announce(trx);
      return { ...now, ...change };
    });
    desk.changed(name);
    return row;
  }

  /** Removes it with all it has in hand and all its dead letters. */
  async remove({ name }: ConsumerRow): Promise<void> {
    const { consumers } = this.#options;
    await consumers.transaction(async (trx) => {
      await consumers.lock(trx, name);
      await consumers.deleteIn(trx, name);
    });
    await this.#clear(name);
    this.#options.desk.changed(name);
  }

  async #clear(name: string): Promise<void> {
    const { consumers, deliveries } = this.#options;
    const some = { consumer: name, limit: deletedAtOnce };
    while (await deliveries.forget(consumers.db, some) === deletedAtOnce);
    while ((await deliveries.exhume(consumers.db, some)).length === deletedAtOnce);
  }

  async stateOf({ name }: ConsumerRow): Promise<ConsumerState> {
    const { consumers, deliveries, events, clock } = this.#options;
    return {
      load: await deliveries.load(consumers.db, { consumer: name, nowMs: clock.now() }),
      deadLetters: await deliveries.deadCount(consumers.db, name),
      headSeq: await events.headSeq(),
    };
  }

  /** Those behind `after` that the key may see, and the last one that was looked at; undefined at the end. */
  async list(
    { after, limit }: { after: string; limit: number },
    principal: Principal | undefined,
  ): Promise<{ rows: readonly ConsumerRow[]; lastName: string | undefined }> {
    const rows = await this.#options.consumers.list({ after, limit });
    return {
      rows: rows.filter((row) => mayUse(principal, row)),
      lastName: rows.length < limit ? undefined : rows.at(-1)!.name,
    };
  }
}

function changeableOf(settings: ConsumerSettings) {
  const { subject, type, project, origin } = settings;
  return {
    subject: /^(hub(\.|$)|[*>])/.test(subject) ? subject : `hub.*.${subject}`,
    narrowing: narrowingText({ type, project, origin }),
    description: settings.description ?? null,
    ack_wait_ms: settings.ack_wait,
    max_deliveries: settings.max_deliveries,
    max_in_flight: settings.max_in_flight,
  };
}

/** A key that is limited to projects uses what gets nothing but their events. */
function mayUse(principal: Principal | undefined, { projects }: ConsumerRow): boolean {
  const slugs = projectsOf(projects);
  return slugs === null ? seesProject(principal, null) : slugs.every((slug) => seesProject(principal, slug));
}

function ownedBy(owner: string, name: string): Problem {
  return new Problem(409, "consumer_owned", {
    detail:
      `"${name}" belongs to the plugin "${owner}", which handles its events itself; it can only be looked at`,
    extras: { owner },
  });
}

function tooMany(count: number): Problem {
  return new Problem(409, "too_many_consumers", {
    detail: `There are ${count} consumers, which is all that consumers.max allows; delete some`,
  });
}
