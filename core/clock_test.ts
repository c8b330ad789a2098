import { expect } from "expect";
import { newId, systemClock, timestamp } from "./clock.ts";

Deno.test("ids are UUIDs of version 7 that carry their time and never repeat", () => {
  const before = Date.now();
  const ids = Array.from({ length: 20_000 }, newId);
  const after = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  let previous = 0;
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const ms = parseInt(id.replaceAll("-", "").slice(0, 12), 16);
    expect(ms >= before && ms <= after && ms >= previous).toBe(true);
    previous = ms;
  }
});

Deno.test("times are RFC 3339 in UTC with milliseconds", () => {
  for (const now of [0, 1_700_000_000_123, 1_700_000_000_123, 1_700_000_000_124]) {
    expect(timestamp({ ...systemClock, now: () => now })).toBe(new Date(now).toISOString());
  }
});
