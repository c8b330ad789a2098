import { expect } from "expect";
import { Problem } from "../../../core/errors.ts";
import { partsOf, planBatch } from "./append_batch.ts";
import type { Draft } from "./draft.ts";
import { firstLink } from "./event_hash.ts";

const emptyLog = { seq: 7, storedMs: 1000, hash: firstLink, known: new Map(), lastSeq: new Map() };

function draft(changes: Partial<Draft> & { id?: string; subject?: string } = {}): Draft {
  const { id = crypto.randomUUID(), subject = "hub.a.demo.made", ...rest } = changes;
  return {
    envelope: {
      id,
      subject,
      type: "demo.made",
      origin: { nodeId: "a", service: "api", user: null },
      project: null,
      correlationId: "c1",
      causationId: null,
      traceparent: null,
      time: "2026-01-01T00:00:00.000Z",
      data: {},
    },
    payload: '{"n":1,"m":2}',
    idGiven: changes.id !== undefined,
    correlationGiven: false,
    ...rest,
  };
}

Deno.test("sequences go on from the head without gaps", () => {
  const { rows, results } = planBatch([draft(), draft(), draft()], emptyLog);
  expect(rows.map((row) => row.seq)).toEqual([8, 9, 10]);
  expect(results).toHaveLength(3);
});

Deno.test("the same event twice in one batch lands once; key order does not matter", () => {
  const again = draft({ id: "x", payload: '{"m":2,"n":1}' });
  const { rows, results } = planBatch([draft({ id: "x" }), again], emptyLog);
  expect(rows).toHaveLength(1);
  expect(results).toMatchObject([{ seq: 8, duplicate: false }, { seq: 8, duplicate: true }]);
});

Deno.test("an id with other content is a conflict that leaves the neighbours and their sequences alone", () => {
  const drafts = [draft({ id: "x" }), draft({ id: "x", payload: '{"n":2}' }), draft()];
  const { rows, results } = planBatch(drafts, emptyLog);
  expect(rows.map((row) => row.seq)).toEqual([8, 9]);
  expect(results[1]).toBeInstanceOf(Problem);
  expect(results[1]).toMatchObject({ status: 409, code: "id_conflict" });
  expect(results[2]).toMatchObject({ seq: 9 });
});

Deno.test("a correlation id counts as content only where the author chose it", () => {
  const { rows: [stored] } = planBatch([draft({ id: "x" })], emptyLog);
  const log = { ...emptyLog, known: new Map([["a x", stored!]]) };
  const other = draft({ id: "x" });
  const elsewhere = { ...other, envelope: { ...other.envelope, correlationId: "c2" } };
  expect(planBatch([elsewhere], log).results[0]).toMatchObject({ duplicate: true });
  expect(planBatch([{ ...elsewhere, correlationGiven: true }], log).results[0]).toMatchObject({
    code: "id_conflict",
  });
});

Deno.test("expected_seq sees the log and the events before it in the same batch", () => {
  const log = { ...emptyLog, lastSeq: new Map([["hub.a.demo.made", 5]]) };
  const { results } = planBatch([
    draft({ expectedSeq: 4 }),
    draft({ expectedSeq: 5 }),
    draft({ expectedSeq: 5 }),
    draft({ expectedSeq: 8 }),
    draft({ expectedSeq: 0, subject: "hub.a.demo.other" }),
  ], log);
  expect(results).toMatchObject([
    { code: "sequence_conflict", extras: { expected_seq: 4, actual_seq: 5 } },
    { seq: 8 },
    { code: "sequence_conflict", extras: { actual_seq: 8 } },
    { seq: 9 },
    { seq: 10 },
  ]);
});

Deno.test("a batch is cut where its payloads make up a mebibyte; nothing is lost or changes its place", () => {
  const sized = (characters: number) => draft({ payload: "x".repeat(characters) });
  const batch = [10, 600_000, 500_000, 2_000_000, 10, 10, 1024 * 1024, 10].map(sized);
  const parts = [...partsOf(batch)];
  expect(parts.map((part) => part.map(({ payload }) => payload.length))).toEqual([
    [10, 600_000, 500_000],
    [2_000_000],
    [10, 10, 1024 * 1024],
    [10],
  ]);
  expect(parts.flat()).toEqual(batch);
  expect([...partsOf([])]).toEqual([]);
});
