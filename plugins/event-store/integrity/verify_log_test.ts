import { expect } from "expect";
import { type Kysely, sql } from "kysely";
import { generateKeyPairSync } from "node:crypto";
import type { Storage } from "../../../core/storage/storage.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { sealAfter } from "../log/event_hash.ts";
import { migrations } from "../migrations.ts";
import { signGap } from "../retention/anchor.ts";
import { EventStore } from "../store.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";
import { verifyLog, type VerifyOptions } from "./verify_log.ts";

type Db = Kysely<EventStoreTables>;

const { privateKey } = generateKeyPairSync("ed25519");

/** A log of 40 events, two of which belong together. */
async function fill(storage: Storage): Promise<{ db: Db; store: EventStore; rows: EventRow[] }> {
  await storage.migrate("event-store", migrations);
  const store = new EventStore(storage);
  const drafts = Array.from({ length: 40 }, (_, index) =>
    eventDraft(`hub.a.demo.n${index % 3}`, {
      id: `event-${index + 1}`,
      causationId: index === 20 ? "event-3" : null,
      data: { index, text: "x".repeat(index) },
    }));
  const { rows } = await store.append(drafts, 1);
  return { db: storage.tables<EventStoreTables>(), store, rows };
}

async function verify(storage: Storage, options: Partial<VerifyOptions> = {}) {
  return await verifyLog(storage, { signal: new AbortController().signal, ...options });
}

/** What was found, in short. */
async function found(storage: Storage, options: Partial<VerifyOptions> = {}): Promise<string[]> {
  const { findings, findingCount } = await verify(storage, options);
  expect(findingCount).toBe(findings.length);
  return findings.map(({ kind, seq, toSeq }) => `${kind} ${seq === toSeq ? seq : `${seq}-${toSeq}`}`);
}

async function change(db: Db, seq: number, values: Partial<EventRow>): Promise<void> {
  await db.updateTable("event_store_event").set(values).where("seq", "=", seq).execute();
}

testOnEveryStorage("an intact log has no findings, and names its head", async (storage) => {
  const { rows } = await fill(storage);
  const progress: number[] = [];
  const verification = await verify(storage, { onProgress: ({ nextSeq }) => progress.push(nextSeq) });
  expect(verification).toEqual({
    fromSeq: 1,
    head: { seq: 40, hash: rows[39]!.hash },
    events: 40,
    findings: [],
    findingCount: 0,
    signers: [],
  });
  expect(progress.at(-1)).toBe(41);
  expect(await verify(storage, { from: 17 })).toMatchObject({ fromSeq: 17, events: 24, findingCount: 0 });
  expect(await verify(storage, { from: 41 })).toMatchObject({ fromSeq: 41, events: 0, findingCount: 0 });
  // A log that lost its end has nothing behind it, which is no proof that it is whole.
  expect(await found(storage, { from: 42 })).toEqual(["not_as_expected 40"]);
});

testOnEveryStorage("an empty log has no findings", async (storage) => {
  await storage.migrate("event-store", migrations);
  expect(await verify(storage)).toMatchObject({ events: 0, findingCount: 0, head: { seq: 0 } });
});

testOnEveryStorage(
  "whatever changes in one event is found at that event, and there only",
  async (storage) => {
    const { db, rows } = await fill(storage);
    const changes: [Partial<EventRow>, string][] = [
      [{ payload: '{"index":99}' }, "content_changed 12"],
      [{ time: "2026-01-01T00:00:00.001Z" }, "content_changed 12"],
      [{ user_name: "" }, "content_changed 12"],
      [{ checksum: 1 }, "checksum_changed 12"],
      [{ hash: "0".repeat(64) }, "link_broken 12"],
    ];
    for (const [values, finding] of changes) {
      await change(db, 12, values);
      expect(await found(storage)).toEqual([finding]);
      await change(db, 12, rows[11]!);
    }
    expect(await found(storage)).toEqual([]);
  },
);

testOnEveryStorage("who computes checksum and hash anew is found at the event behind", async (storage) => {
  const { db, rows } = await fill(storage);
  const forged = { ...rows[11]!, payload: '{"index":99}' };
  await change(db, 12, { ...forged, ...sealAfter(rows[11]!.hash, forged), hash: rows[11]!.hash });
  expect(await found(storage)).toEqual(["link_broken 12"]);
  await change(db, 12, { ...forged, ...sealAfter(rows[10]!.hash, forged) });
  expect(await found(storage)).toEqual(["link_broken 13"]);
});

testOnEveryStorage(
  "who computes the whole rest anew is found by what was noted elsewhere",
  async (storage) => {
    const { db, rows } = await fill(storage);
    const noted = { seq: 40, hash: rows[39]!.hash };
    let { hash } = rows[10]!;
    for (const row of rows.slice(11)) {
      const forged = row.seq === 12 ? { ...row, payload: "{}" } : row;
      const seal = sealAfter(hash, forged);
      ({ hash } = seal);
      await change(db, row.seq, { ...forged, ...seal });
    }
    await db.updateTable("event_store_head").set({ hash }).execute();
    expect(await found(storage)).toEqual([]);
    expect(await found(storage, { expect: noted })).toEqual(["not_as_expected 40"]);
    expect(await found(storage, { expect: { seq: 11, hash: rows[10]!.hash }, from: 30 })).toEqual([]);
    expect(await found(storage, { expect: { seq: 41, hash: noted.hash } })).toEqual(["not_as_expected 41"]);
  },
);

testOnEveryStorage("events that vanish are missed, at the end too", async (storage) => {
  const { db } = await fill(storage);
  await db.deleteFrom("event_store_event").where("seq", "in", [1, 7, 8, 9, 40]).execute();
  expect(await found(storage)).toEqual(["missing 1", "missing 7-9", "missing 40"]);
});

testOnEveryStorage("what retention removed is no finding, if it signed for it", async (storage) => {
  const { db, rows } = await fill(storage);
  const gap = signGap(
    { from_seq: 1, to_seq: 9, hash: rows[8]!.hash, removed_at: "2026-01-02T00:00:00Z" },
    privateKey,
  );
  const middle = signGap({ from_seq: 20, to_seq: 20, hash: rows[19]!.hash, removed_at: "" }, privateKey);
  await db.deleteFrom("event_store_event").where("seq", "in", [1, 2, 3, 4, 5, 6, 7, 8, 9, 20]).execute();
  await db.insertInto("event_store_gap").values([gap, middle]).execute();
  await db.updateTable("event_store_head").set({ events: 30 }).execute();
  expect(await verify(storage)).toMatchObject({
    findingCount: 0,
    events: 30,
    signers: [{ signer: gap.signer, gaps: 2, events: 10 }],
  });
  expect(await found(storage, { from: 5 })).toEqual([]);
  await db.updateTable("event_store_gap").set({ signature: middle.signature }).where("from_seq", "=", 1)
    .execute();
  expect(await found(storage)).toEqual(["gap_not_signed 1-9"]);
  await db.updateTable("event_store_gap").set({ ...gap, hash: "0".repeat(64) }).where("from_seq", "=", 1)
    .execute();
  expect(await found(storage)).toEqual(["gap_not_signed 1-9", "link_broken 10"]);
  const tooLarge = signGap({ ...gap, to_seq: 11 }, privateKey);
  await db.updateTable("event_store_gap").set(tooLarge).where("from_seq", "=", 1).execute();
  expect(await found(storage)).toContain("gap_contradicted 10");
});

testOnEveryStorage("a head that does not fit the events is found", async (storage) => {
  const { db, rows } = await fill(storage);
  const head = { seq: 40, hash: rows[39]!.hash, events: 40 };
  const changes: [Partial<typeof head>, string[]][] = [
    [{ hash: rows[38]!.hash }, ["head_wrong 40"]],
    [{ seq: 39, hash: rows[38]!.hash, events: 39 }, ["head_wrong 39"]],
    [{ seq: 41 }, ["missing 41", "head_wrong 41"]],
    [{ seq: 1e12 }, ["missing 41-1000000000000", "head_wrong 1000000000000"]],
    [{ events: 41 }, ["head_wrong 40"]],
  ];
  for (const [values, findings] of changes) {
    await db.updateTable("event_store_head").set(values).execute();
    expect(await found(storage)).toEqual(findings);
    await db.updateTable("event_store_head").set(head).execute();
  }
  await db.updateTable("event_store_head").set({ id: 2 }).execute();
  expect(await found(storage)).toEqual(["head_wrong 0"]);
});

testOnEveryStorage("events may be appended and removed while it walks", async (storage) => {
  const { db, store, rows } = await fill(storage);
  let round = 0;
  const work: Promise<unknown>[] = [];
  const { findings } = await verify(storage, {
    onProgress: () => {
      if (round++ > 0) return;
      work.push(store.append([eventDraft("hub.a.demo.late")], 2));
      work.push(
        db.transaction().execute(async (trx) => {
          await trx.deleteFrom("event_store_event").where("seq", "<=", 35).execute();
          const gap = { from_seq: 1, to_seq: 35, hash: rows[34]!.hash, removed_at: "" };
          await trx.insertInto("event_store_gap").values(signGap(gap, privateKey)).execute();
          await trx.updateTable("event_store_head").set({ events: sql<number>`events - 35` }).execute();
        }),
      );
    },
  });
  await Promise.all(work);
  expect(findings).toEqual([]);
  expect(await verify(storage)).toMatchObject({ events: 6, findingCount: 0, head: { seq: 41 } });
});

testOnEveryStorage("it can be left", async (storage) => {
  await fill(storage);
  const left = new AbortController();
  const walk = verify(storage, { signal: left.signal, onProgress: () => left.abort(new Error("left")) });
  await expect(walk).rejects.toThrow("left");
});
