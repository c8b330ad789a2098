import { expect } from "expect";
import { generateKeyPairSync } from "node:crypto";
import type { Storage } from "../../../core/storage/storage.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { migrations } from "../migrations.ts";
import { signGap } from "../retention/anchor.ts";
import { EventStore } from "../store.ts";
import type { EventStoreTables, GapRow } from "../tables.ts";
import { IntegrityStore } from "./integrity_store.ts";
import { readSection } from "./section.ts";

const { privateKey } = generateKeyPairSync("ed25519");

/** Retention comes by right before the gaps are read, as long as there is something left to remove. */
class InterruptedStore extends IntegrityStore {
  readonly #remove: () => Promise<unknown>;

  constructor(storage: Storage, remove: () => Promise<unknown>) {
    super(storage);
    this.#remove = remove;
  }

  override async gaps(range: { from: number; to: number }): Promise<GapRow[]> {
    await this.#remove();
    return await super.gaps(range);
  }
}

testOnEveryStorage(
  "an event is in the section or in its gaps, whenever retention removes it",
  async (storage) => {
    await storage.migrate("event-store", migrations);
    const { rows } = await new EventStore(storage).append(
      Array.from({ length: 9 }, () => eventDraft("hub.a.demo.created")),
      1,
    );
    const db = storage.tables<EventStoreTables>();
    const left = [{ until: 3 }, { until: 5 }];
    const store = new InterruptedStore(storage, async () => {
      const next = left.shift();
      if (!next) return;
      await db.transaction().execute(async (trx) => {
        await trx.deleteFrom("event_store_event").where("seq", "<=", next.until).execute();
        await trx.deleteFrom("event_store_gap").execute();
        const gap = { from_seq: 1, to_seq: next.until, hash: rows[next.until - 1]!.hash, removed_at: "" };
        await trx.insertInto("event_store_gap").values(signGap(gap, privateKey)).execute();
      });
    });
    const { events, gaps, to } = await readSection(store, { from: 1, to: 9 }, 100);
    expect(events.map(({ seq }) => seq)).toEqual([6, 7, 8, 9]);
    expect(gaps.map(({ from_seq, to_seq }) => [from_seq, to_seq])).toEqual([[1, 5]]);
    expect(to).toBe(9);
  },
);

testOnEveryStorage(
  "an event that stays where a gap says it was removed is shown with it",
  async (storage) => {
    await storage.migrate("event-store", migrations);
    const { rows } = await new EventStore(storage).append([eventDraft("hub.a.demo.created")], 1);
    const gap = signGap({ from_seq: 1, to_seq: 1, hash: rows[0]!.hash, removed_at: "" }, privateKey);
    await storage.tables<EventStoreTables>().insertInto("event_store_gap").values(gap).execute();
    const section = await readSection(new IntegrityStore(storage), { from: 1, to: 1 }, 100);
    expect([section.events.length, section.gaps.length]).toEqual([1, 1]);
  },
);
