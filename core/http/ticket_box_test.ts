import { expect } from "expect";
import type { Principal } from "./principal.ts";
import { TicketBox } from "./ticket_box.ts";

function holder(keyId: string): Principal {
  return { keyId, name: keyId, scopes: ["read"], projects: null };
}

const tooMany = { status: 429, code: "too_many_tickets", extras: { retry_after: 30 } };

Deno.test("tickets are bounded per key, and make room when they expire", () => {
  let nowMs = 0;
  const box = new TicketBox({ clock: { now: () => nowMs, monotonic: () => nowMs }, isLive: () => true });
  for (let index = 0; index < 100; index++) box.issue(holder("a"));
  expect(() => box.issue(holder("a"))).toThrow(expect.objectContaining(tooMany));
  expect(box.redeem(box.issue(holder("b")).ticket)).toEqual(holder("b"));
  nowMs = 30_000;
  expect(box.issue(holder("a")).expiresAt).toBe("1970-01-01T00:01:00.000Z");
});

Deno.test("tickets are bounded in all", () => {
  const box = new TicketBox({ clock: { now: () => 0, monotonic: () => 0 }, isLive: () => true });
  for (let index = 0; index < 10_000; index++) box.issue(holder(`key ${index % 101}`));
  expect(() => box.issue(holder("another"))).toThrow(expect.objectContaining(tooMany));
});
