import { expect } from "expect";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { withStorage } from "../../../tests/support/every_storage.ts";
import { migrations } from "../migrations.ts";
import { scanEvents } from "../search/scan_events.ts";
import { EventStore } from "../store.ts";
import { verifyLog } from "./verify_log.ts";

/** A log of 30 events, each the cause of the next. */
async function withLog(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  try {
    await withStorage("sqlite:", {
      dataDir,
      run: async (storage) => {
        await storage.migrate("event-store", migrations);
        await new EventStore(storage).append(
          Array.from({ length: 30 }, (_, index) =>
            eventDraft(`hub.a.demo.n${index + 10}`, {
              id: `event-${index + 10}`,
              correlationId: `group-${index + 10}`,
              causationId: `cause-${index + 10}`,
              project: `project-${index + 10}`,
            })),
          1,
        );
      },
    });
    await run(dataDir);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** Exchanges a text in the pages of one index, as a damaged disk would. */
async function damageIndex(dataDir: string, index: string, [from, to]: [string, string]): Promise<void> {
  const path = join(dataDir, "commandcenter.db");
  const database = new DatabaseSync(path);
  const row = database.prepare("select rootpage from sqlite_schema where name = ?").get(index);
  const { page_size: size } = database.prepare("pragma page_size").get() as { page_size: number };
  database.close();
  const bytes = await Deno.readFile(path);
  const start = (Number(row!.rootpage) - 1) * size;
  const page = bytes.subarray(start, start + size);
  const text = new TextDecoder("latin1").decode(page);
  const places = [...text.matchAll(new RegExp(from, "g"))].map((match) => match.index);
  expect(places.length).toBeGreaterThan(0);
  for (const place of places) page.set(new TextEncoder().encode(to), place);
  await Deno.writeFile(path, bytes);
}

const cases: readonly [string, [string, string]][] = [
  ["event_store_event_id", ["event-20", "event-2-"]],
  ["event_store_event_subject", ["demo.n20", "demo.n2-"]],
  ["event_store_event_correlation", ["group-20", "group-2-"]],
  ["event_store_event_causation", ["cause-20", "cause-2-"]],
  ["event_store_event_project", ["project-20", "project-2-"]],
];

for (const [index, change] of cases) {
  Deno.test(`an index that hides an event is found: ${index}`, async () => {
    await withLog(async (dataDir) => {
      await damageIndex(dataDir, index, change);
      await withStorage("sqlite:", {
        dataDir,
        run: async (storage) => {
          const { findings } = await verifyLog(storage, { signal: new AbortController().signal });
          const found = findings.filter(({ kind }) => kind === "index_damaged");
          expect(found).toMatchObject([{ seq: 11, toSeq: 11 }]);
          expect(found[0]!.detail).toBe(`The index "${index}" does not lead to event 11`);
        },
      });
    });
  });
}

Deno.test("an event that a damaged index leads to is not shown as the one that was asked for", async () => {
  await withLog(async (dataDir) => {
    await damageIndex(dataDir, "event_store_event_id", ["event-20", "event-2-"]);
    await damageIndex(dataDir, "event_store_event_subject", ["demo.n20", "demo.n2-"]);
    await withStorage("sqlite:", {
      dataDir,
      run: async (storage) => {
        const store = new EventStore(storage);
        expect(await store.byId("event-20")).toBeUndefined();
        await expect(store.byId("event-2-")).rejects.toThrow("The event with the sequence 11 is damaged");
        const filter = { subject: "hub.a.demo.n2-" };
        const search = scanEvents(store, { filter, order: "asc", from: 1, limit: 10 });
        await expect(search).rejects.toThrow("The event with the sequence 11 is damaged");
      },
    });
  });
});

Deno.test("an index that is gone is found", async () => {
  await withLog(async (dataDir) => {
    const database = new DatabaseSync(join(dataDir, "commandcenter.db"));
    database.exec("drop index event_store_event_subject");
    database.close();
    await withStorage("sqlite:", {
      dataDir,
      run: async (storage) => {
        const { findings } = await verifyLog(storage, { signal: new AbortController().signal });
        expect(findings).toMatchObject([{
          kind: "index_damaged",
          detail: 'The index "event_store_event_subject" does not lead to 30 events between 1 and 30',
        }]);
      },
    });
  });
});
