import { expect } from "expect";
import { type Kysely, sql, type Transaction } from "kysely";
import { testOnEveryStorage } from "../../tests/support/every_storage.ts";
import type { CommitQueue } from "./commit_queues.ts";
import type { Storage } from "./storage.ts";

interface Tables {
  probe_note: { text: string };
}

async function openTable(storage: Storage): Promise<Kysely<Tables>> {
  await storage.migrate("probe", {
    "001_note": {
      up: async (db) => {
        await db.schema.createTable("probe_note")
          .addColumn("text", "text", (column) => column.notNull().unique()).execute();
      },
    },
  });
  return storage.tables<Tables>();
}

/** Writes its items into the table at the commit, and remembers what it was told. */
class NoteQueue implements CommitQueue<string> {
  readonly flushed: string[][] = [];
  readonly told: string[][] = [];
  readonly #onCommitted: () => void;

  constructor(onCommitted: () => void = () => {}) {
    this.#onCommitted = onCommitted;
  }

  async flush(trx: Transaction<Tables>, items: readonly string[]): Promise<void> {
    this.flushed.push([...items]);
    for (const text of items) await trx.insertInto("probe_note").values({ text }).execute();
  }

  committed(items: readonly string[]): void {
    this.told.push([...items]);
    this.#onCommitted();
  }
}

async function notes(db: Kysely<Tables>): Promise<string[]> {
  const rows = await db.selectFrom("probe_note").select("text").execute();
  return rows.map((row) => row.text).toSorted();
}

testOnEveryStorage(
  "what was put off is done in order, behind the transaction's own work",
  async (storage) => {
    const db = await openTable(storage);
    const order: string[] = [];
    const queues = ["one", "two"].map((name): CommitQueue<number> => ({
      flush: (_trx, items) => Promise.resolve(void order.push(`${name} ${items.join(" ")}`)),
    }));
    await db.transaction().execute(async (trx) => {
      for (const item of [1, 2, 3]) {
        for (const queue of queues) await storage.beforeCommit(trx, { queue, item });
      }
      order.push("work");
    });
    expect(order).toEqual(["work", "one 1 2 3", "two 1 2 3"]);
  },
);

testOnEveryStorage("it is committed together with the transaction, and told only then", async (storage) => {
  const db = await openTable(storage);
  let seen: Promise<string[]> | undefined;
  const queue = new NoteQueue(() => seen = notes(db));
  await db.transaction().execute(async (trx) => {
    await storage.beforeCommit(trx, { queue, item: "put off" });
    await trx.insertInto("probe_note").values({ text: "own" }).execute();
    expect([queue.flushed, await notes(db)]).toEqual([[], []]);
  });
  expect(queue.told).toEqual([["put off"]]);
  expect(await seen).toEqual(["own", "put off"]);
});

testOnEveryStorage("a rollback forgets it, also for the next one on that connection", async (storage) => {
  const db = await openTable(storage);
  const queue = new NoteQueue();
  const failing = db.transaction().execute(async (trx) => {
    await storage.beforeCommit(trx, { queue, item: "never" });
    throw new Error("changed my mind");
  });
  await expect(failing).rejects.toThrow("changed my mind");
  for (let round = 0; round < 8; round++) {
    await db.transaction().execute((trx) =>
      trx.insertInto("probe_note").values({ text: `round ${round}` }).execute()
    );
  }
  expect([queue.flushed, queue.told]).toEqual([[], []]);
  expect(await notes(db)).toHaveLength(8);
});

testOnEveryStorage("a flush that fails rolls all of it back", async (storage) => {
  const db = await openTable(storage);
  const good = new NoteQueue();
  const bad = new NoteQueue();
  const failing = db.transaction().execute(async (trx) => {
    await trx.insertInto("probe_note").values({ text: "own" }).execute();
    await storage.beforeCommit(trx, { queue: good, item: "good" });
    await storage.beforeCommit(trx, { queue: bad, item: "own" }); // is there already
  });
  await expect(failing).rejects.toThrow(/unique/i);
  expect(await notes(db)).toEqual([]);
  expect([good.told, bad.told]).toEqual([[], []]);
  await db.transaction().execute((trx) => storage.beforeCommit(trx, { queue: good, item: "again" }));
  expect(good.told).toEqual([["again"]]);
  expect(await notes(db)).toEqual(["again"]);
});

testOnEveryStorage("a commit that fails tells nobody and leaves nothing for the next", async (storage) => {
  const db = await openTable(storage);
  await storage.migrate("probe-part", {
    "001_part": {
      up: async (schema) => {
        await schema.schema.createTable("probe_part").addColumn("note", "text", (column) => column.notNull())
          .addForeignKeyConstraint(
            "probe_part_note",
            ["note"],
            "probe_note",
            ["text"],
            (constraint) => constraint.deferrable().initiallyDeferred(),
          ).execute();
      },
    },
  });
  const parts = storage.tables<Tables & { probe_part: { note: string } }>();
  const queue = new NoteQueue();
  const failing = parts.transaction().execute(async (trx) => {
    await storage.beforeCommit(trx, { queue, item: "lost" });
    await trx.insertInto("probe_part").values({ note: "absent" }).execute(); // found out only at the commit
  });
  await expect(failing).rejects.toThrow(/foreign key/i);
  for (let round = 0; round < 8; round++) await db.transaction().execute(() => Promise.resolve());
  expect(queue.told).toEqual([]);
  expect(await notes(db)).toEqual([]);
});

testOnEveryStorage("a savepoint takes back what was put off since", async (storage) => {
  const db = await openTable(storage);
  const queue = new NoteQueue();
  const put = (trx: Transaction<Tables>, item: string) => storage.beforeCommit(trx, { queue, item });
  const outer = await db.startTransaction().execute();
  await put(outer, "kept");
  const first = await outer.savepoint("part").execute();
  await put(first, "gone with the outer");
  const second = await first.savepoint("part").execute();
  await put(second, "gone with the inner");
  const third = await second.rollbackToSavepoint("part").execute();
  await put(third, "gone with the outer too");
  const released = await third.releaseSavepoint("part").execute();
  const back = await released.rollbackToSavepoint("part").execute();
  await put(back, "kept too");
  await back.commit().execute();
  expect(queue.told).toEqual([["kept", "kept too"]]);
  expect(await notes(db)).toEqual(["kept", "kept too"]);
});

testOnEveryStorage("what a flush puts off itself belongs to the same transaction", async (storage) => {
  const db = await openTable(storage);
  const notesQueue = new NoteQueue();
  const queue: CommitQueue<string> = {
    flush: (trx, items) =>
      storage.beforeCommit(trx, { queue: notesQueue, item: `because of ${items.join()}` }),
  };
  await db.transaction().execute((trx) => storage.beforeCommit(trx, { queue, item: "this" }));
  expect(notesQueue.told).toEqual([["because of this"]]);
  expect(await notes(db)).toEqual(["because of this"]);
});

testOnEveryStorage("transactions at the same time keep apart what they put off", async (storage) => {
  const db = await openTable(storage);
  const queue = new NoteQueue();
  const all = Array.from({ length: 24 }, (_, index) =>
    db.transaction().execute(async (trx) => {
      await storage.beforeCommit(trx, { queue, item: `a${index}` });
      await sql`select 1`.execute(trx);
      await storage.beforeCommit(trx, { queue, item: `b${index}` });
      if (index % 3 === 0) throw new Error("changed my mind");
    }));
  await Promise.allSettled(all);
  const expected = Array.from({ length: 24 }, (_, index) => index).filter((index) => index % 3 !== 0)
    .map((index) => [`a${index}`, `b${index}`]);
  expect(queue.told.toSorted()).toEqual(expected.toSorted());
});

testOnEveryStorage("a transaction that an error has ended takes nothing more in", async (storage) => {
  const db = await openTable(storage);
  const queue = new NoteQueue();
  if (storage.kind === "sqlite") await sql`pragma max_page_count = 12`.execute(db);
  const failing = db.transaction().execute(async (trx) => {
    await storage.beforeCommit(trx, { queue, item: "ghost" });
    const fault = storage.kind === "sqlite"
      ? trx.insertInto("probe_note").values({ text: "x".repeat(200_000) }).execute() // SQLite gives up on a full disk
      : sql`select 1 / 0`.execute(trx);
    await fault.catch(() => {}); // a caller that believes it can go on
  });
  await expect(failing).rejects.toThrow();
  for (let round = 0; round < 8; round++) await db.transaction().execute(() => Promise.resolve());
  expect(queue.told).toEqual([]);
  expect(await notes(db)).toEqual([]);
});
