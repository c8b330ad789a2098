import { expect } from "expect";
import { DamagedEvent, intact, isAskedFor } from "./damage.ts";
import { sealAfter } from "./event_hash.ts";
import type { EventContent, EventRow } from "../tables.ts";

const content: EventContent = {
  seq: 7,
  id: "order-1",
  subject: "hub.hub-a.order.placed",
  type: "order.placed",
  node_id: "hub-a",
  service: "api",
  user_name: null,
  project: "one",
  correlation_id: "c1",
  causation_id: null,
  traceparent: null,
  time: "2026-01-31T12:00:00.000Z",
  stored_ms: 1,
  payload: "{}",
  arrival: "published",
  attributes: null,
};
const row: EventRow = { ...content, ...sealAfter("", content) };

Deno.test("a row that does not fit its checksum is no event", () => {
  intact(row);
  expect(() => intact({ ...row, payload: "{ }" })).toThrow(DamagedEvent);
  expect(() => intact({ ...row, payload: 7 as never })).toThrow(DamagedEvent);
  expect(() => intact({ ...row, checksum: null as never })).toThrow(
    "The event with the sequence 7 is damaged",
  );
});

Deno.test("what an index led to has to be what it was asked for", () => {
  const subject = "hub.hub-a.order.placed";
  for (
    const filter of [{}, { subject }, { subject: "hub.*.other.>" }, { projects: ["one", "two"] }, {
      project: "one",
    }]
  ) {
    expect(isAskedFor(row, filter)).toBe(true);
  }
  for (
    const filter of [{ subject: `${subject}d` }, { correlationId: "c2" }, { projects: ["two"] }, {
      project: "two",
    }]
  ) expect(isAskedFor(row, filter)).toBe(false);
  expect(isAskedFor({ ...row, project: null }, { projects: ["one"] })).toBe(false);
});
