import { expect } from "expect";
import { waitFor } from "../../tests/support/wait_for.ts";
import { systemClock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { MemoryBus } from "./memory.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = ({ data }: { data: Uint8Array }) => new TextDecoder().decode(data);

function open(options: { maxEvents?: number; closeTimeoutMs?: number } = {}) {
  const warnings: string[] = [];
  const log: Logger = {
    debug() {},
    info() {},
    warn: (message) => void warnings.push(message),
    error() {},
    child: () => log,
  };
  const bus = new MemoryBus({
    log,
    clock: systemClock,
    clientName: "test",
    duplicateWindowMs: 60_000,
    ...options,
  });
  return { bus, warnings, [Symbol.asyncDispose]: () => bus.close() };
}

Deno.test("a consumer that falls behind what the memory keeps goes on with the rest, and a warning says so", async () => {
  await using opened = open({ maxEvents: 5 });
  const { bus, warnings } = opened;
  const seen: string[] = [];
  const options = { durable: "reader", pattern: "hub.>" };
  await bus.consume(options, () => {}).stop();
  for (let id = 0; id < 12; id++) await bus.append("hub.a.b.c", bytes(`${id}`), { id: `${id}` });
  bus.consume(options, (message) => void seen.push(text(message)));
  await waitFor(() => seen.length === 5, { what: "what is left" });
  expect(seen).toEqual(["7", "8", "9", "10", "11"]);
  expect(warnings).toEqual([`Consumer "reader" was too slow for the bus in memory: 7 events are gone`]);
});

Deno.test("a burst larger than a mailbox loses nothing as long as its publisher waits and handlers are quick", async () => {
  await using opened = open();
  const { bus } = opened;
  let seen = 0;
  let dropped = 0;
  const onDropped = (count: number) => void (dropped = count);
  bus.subscribe("hub.>", () => void seen++, { maxPending: 100, onDropped });
  bus.subscribe("hub.>", () => Promise.resolve(), { maxPending: 100, onDropped });
  for (let start = 0; start < 5000; start += 100) {
    const window = Array.from({ length: 100 }, (_, index) => `${start + index}`);
    await Promise.all(window.map((id) => bus.append("hub.a.b.c", bytes(id), { id })));
  }
  expect([seen, dropped]).toEqual([5000, 0]);
});

Deno.test("the publisher may reuse its buffer", async () => {
  await using opened = open();
  const { bus } = opened;
  const seen: string[] = [];
  bus.subscribe("hint.a", (message) => void seen.push(text(message)));
  const buffer = bytes("one");
  bus.publish("hint.a", buffer);
  buffer.fill(0);
  await waitFor(() => seen.length === 1, { what: "the message" });
  expect(seen).toEqual(["one"]);
});

Deno.test("a second consumer of the same name with another pattern gets a warning and the first one's pattern", async () => {
  await using opened = open();
  const { bus, warnings } = opened;
  bus.consume({ durable: "reader", pattern: "hub.a.>" }, () => {});
  bus.consume({ durable: "reader", pattern: "hub.>" }, () => {});
  expect(warnings).toEqual([expect.stringContaining(`Consumer "reader" exists for "hub.a.>" and stays so`)]);
});

Deno.test("closing does not wait for ever for a handler that hangs", async () => {
  const { bus } = open({ closeTimeoutMs: 20 });
  let begun = false;
  bus.subscribe("hint.a", () => {
    begun = true;
    return new Promise(() => {});
  });
  bus.publish("hint.a", bytes(""));
  await waitFor(() => begun, { what: "the handler" });
  await bus.close();
  expect(bus.status().connected).toBe(false);
});
