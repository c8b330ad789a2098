import { expect } from "expect";
import fc from "fast-check";
import { checksumOf, firstLink, linkAfter, sealAfter } from "./event_hash.ts";
import type { EventContent } from "../tables.ts";

const event: EventContent = {
  seq: 7,
  id: "order-1",
  subject: "hub.hub-a.order.placed",
  type: "order.placed",
  node_id: "hub-a",
  service: "api",
  user_name: "Jörg 🚲",
  project: null,
  correlation_id: "c1",
  causation_id: null,
  traceparent: null,
  time: "2026-01-31T12:00:00.000Z",
  stored_ms: 1_769_860_800_000,
  payload: '{"answer":42}',
  arrival: "published",
  attributes: null,
};

/** Anything a column could be made to hold, with what sets columns apart among the likely ones. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({ unit: fc.constantFrom("\0", "\u0001", "-", ":", "1", "2", " ", "a"), maxLength: 6 }),
);
const textOrNull = fc.option(text);
const contents: fc.Arbitrary<EventContent> = fc.record({
  seq: fc.nat(200),
  id: text,
  subject: text,
  type: text,
  node_id: text,
  service: text,
  user_name: textOrNull,
  project: textOrNull,
  correlation_id: text,
  causation_id: textOrNull,
  traceparent: textOrNull,
  time: text,
  stored_ms: fc.nat(200),
  payload: text,
  arrival: fc.constantFrom("published", "collected", "imported"),
  attributes: textOrNull,
});

Deno.test("the format of the hashes that logs hold already", () => {
  expect(sealAfter(firstLink, event)).toEqual({
    checksum: 2_613_666_335,
    hash: "67f149efe91d7e53a903cfa9f2a48f757d7826069a8b7889b34678cad15f4997",
  });
  expect(checksumOf(event)).toBe(sealAfter(firstLink, event).checksum);
  expect(linkAfter(firstLink, event)).toBe(sealAfter(firstLink, event).hash);
});

Deno.test("whatever changes in whichever column changes the hash and the checksum", () => {
  const change = fc.constantFrom(...Object.keys(event) as (keyof EventContent)[]);
  fc.assert(fc.property(contents, contents, change, (before, other, column) => {
    fc.pre(before[column] !== other[column]);
    const after = { ...before, [column]: other[column] };
    expect(linkAfter(firstLink, after)).not.toBe(linkAfter(firstLink, before));
    expect(checksumOf(after)).not.toBe(checksumOf(before));
  }));
});

Deno.test("text that moves over the border of two columns is another event", () => {
  const columns = ["id", "subject", "user_name", "project", "causation_id", "attributes", "payload"] as const;
  fc.assert(fc.property(contents, fc.nat(columns.length - 2), fc.nat(12), (before, index, cut) => {
    const [left, right] = [columns[index]!, columns[index + 1]!];
    const joined = `${before[left] ?? ""}${before[right] ?? ""}`;
    const after = { ...before, [left]: joined.slice(0, cut), [right]: joined.slice(cut) };
    fc.pre(after[left] !== before[left] || after[right] !== before[right]);
    expect(linkAfter(firstLink, after)).not.toBe(linkAfter(firstLink, before));
  }));
});

Deno.test("null is no text, not even one that looks like its sign", () => {
  const signs = [null, "", "-", "0:", "\u0001", "null"];
  const hashes = signs.map((user_name) => linkAfter(firstLink, { ...event, user_name }));
  expect(new Set(hashes).size).toBe(signs.length);
});

Deno.test("the predecessor counts", () => {
  expect(linkAfter("f".repeat(64), event)).not.toBe(linkAfter(firstLink, event));
});
