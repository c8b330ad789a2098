import { expect } from "expect";
import { MemoryBus } from "../../../core/bus/memory.ts";
import { systemClock } from "../../../core/clock.ts";
import { getLogger } from "../../../core/log.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { migrations } from "../migrations.ts";
import { EventStore } from "../store.ts";
import type { EventStoreTables } from "../tables.ts";
import { findPosition } from "./relay_position.ts";

testOnEveryStorage(
  "a bus with another store gets again what is young, and all that it never had",
  async (storage) => {
    await storage.migrate("event-store", migrations);
    const store = new EventStore(storage);
    const log = getLogger("test");
    const bus = new MemoryBus({ log, clock: systemClock, clientName: "test", duplicateWindowMs: 1000 });
    const append = (count: number, nowMs: number) =>
      store.append(Array.from({ length: count }, () => eventDraft("hub.a.demo.one")), nowMs);
    await append(10, 1000);
    await append(80, 2000);
    await append(10, 3000);
    // Of the second eighty only the first ten and the last ten are left.
    await storage.tables<EventStoreTables>().deleteFrom("event_store_event")
      .where("seq", ">", 20).where("seq", "<=", 80).execute();
    const resume = (position: number, { oldest }: { oldest: number }) => {
      const clock = { ...systemClock, now: () => 10_000 };
      return findPosition(
        { store, bus, nodeId: "a", clock, log, resendMs: 10_000 - oldest },
        { seq: position, stream: "another" },
      );
    };
    const table: [position: number, oldest: number, found: number][] = [
      [100, 0, 0],
      [100, 1500, 10],
      [100, 2500, 90],
      [85, 1500, 10],
      // Older than what is sent again, but what lies behind the position was never sent at all.
      [50, 2500, 50],
      [85, 2500, 85],
      [20, 5000, 20],
    ];
    for (const [position, oldest, found] of table) {
      const { seq } = await resume(position, { oldest });
      const next = await store.storedAt(seq + 1);
      const expected = await store.storedAt(found + 1);
      expect({ position, oldest, next: next?.seq }).toEqual({ position, oldest, next: expected?.seq });
      expect(seq).toBeLessThanOrEqual(position);
    }
    await bus.close();
  },
);
