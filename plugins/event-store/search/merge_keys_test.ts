import { expect } from "expect";
import fc from "fast-check";
import { eventDraft as draft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { migrations } from "../migrations.ts";
import { EventStore } from "../store.ts";
import { mergeKeys } from "./merge_keys.ts";
import { EventIndex } from "./event_index.ts";
import { Turns } from "../../../core/turns.ts";

const names = ["often", "often", "often", "now", "then", "rarely"].map((name) => `hub.a.demo.${name}`);

testOnEveryStorage(
  "the sequences of many subjects come in order, none left out, none twice",
  async (storage) => {
    await storage.migrate("event-store", migrations);
    const store = new EventStore(storage);
    const index = new EventIndex(storage);
    // In runs of one subject, so that its events lie side by side.
    const runs = fc.sample(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: 6 })), {
      numRuns: 200,
      seed: 3,
    });
    const stored = runs.flatMap(([subject, length]) => Array.from({ length }, () => subject));
    await store.append(stored.map((subject) => draft(subject)), 1);
    const place = fc.integer({ min: 1, max: stored.length });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.constantFrom(...names, "hub.a.demo.never"), { minLength: 0 }),
        fc.tuple(place, place),
        fc.constantFrom("asc" as const, "desc" as const),
        fc.integer({ min: 1, max: 40 }),
        async (subjects, [from, to], order, count) => {
          const all = stored.flatMap((subject, at) =>
            subjects.includes(subject) && at + 1 >= from && at + 1 <= to ? [at + 1] : []
          );
          if (order === "desc") all.reverse();
          const found = await mergeKeys(index, {
            column: "subject",
            keys: subjects,
            from,
            to,
            order,
            count,
            turns: new Turns(),
          });
          expect(found).toEqual(all.slice(0, count));
        },
      ),
      { numRuns: 800, seed: 3 },
    );
  },
);
