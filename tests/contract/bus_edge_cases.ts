import { expect } from "expect";
import type { BusError } from "../../core/bus/bus.ts";
import { type BusCases, bytes, codeOf, event, settled, text } from "./bus_case.ts";

/** What no bus takes. */
export const limitCases: BusCases = {
  "a message that is too large is refused before it is sent": async ({ bus, handlerErrors }) => {
    const large = new Uint8Array(1024 * 1024);
    const headers = { name: "value" };
    expect(await codeOf(() => bus.publish("hint.a", large, { headers }))).toBe("too_large");
    expect(await codeOf(() => bus.append(event("a.b"), large, { id: "1", headers }))).toBe("too_large");
    expect(await codeOf(() => bus.request("rpc.a", large, { timeoutMs: 5000, headers }))).toBe("too_large");
    expect(await codeOf(() => bus.append(event("a.b"), large.subarray(1000), { id: "2" }))).toBe(undefined);
    bus.respond("rpc.a", () => Promise.resolve({ data: large, headers }));
    await settled(bus);
    expect(await codeOf(() => bus.request("rpc.a", bytes(""), { timeoutMs: 100 }))).toBe("timeout");
    expect(handlerErrors.map(({ error }) => (error as BusError).code)).toEqual(["too_large"]);
  },

  "subjects, patterns, names and headers are checked": async ({ bus }) => {
    const nothing = bytes("");
    const wrong: [string, () => unknown][] = [
      ["a wildcard", () => bus.publish("hint.*", nothing)],
      ["an empty token", () => bus.publish("hint..a", nothing)],
      ["a line break", () => bus.publish("hint.a\r\nPUB b 0", nothing)],
      ["an event that is not appended", () => bus.publish(event("a.b"), nothing)],
      ["a presence beat in the stream", () => bus.append("hub.presence.demo", nothing, { id: "1" })],
      ["a request to the stream", () => bus.request(event("a.b"), nothing, { timeoutMs: 5000 })],
      ["a bad pattern", () => bus.subscribe("a.>.b", () => {})],
      ["a bad pattern of a responder", () => bus.respond("a b", () => Promise.reject(new Error()))],
      ["a bad pattern of a consumer", () => bus.consume({ durable: "a", pattern: "a**" }, () => {})],
      ["a bad durable name", () => bus.consume({ durable: "a.b", pattern: "a" }, () => {})],
    ];
    for (const [what, work] of wrong) expect([what, await codeOf(work)]).toEqual([what, "invalid_subject"]);
    const headers = { "x-a": "b\r\nNats-Msg-Id: c" };
    expect(await codeOf(() => bus.publish("hint.a", nothing, { headers }))).toBe("invalid_header");
    expect(await codeOf(() => bus.append(event("a.b"), nothing, { id: "1", headers }))).toBe(
      "invalid_header",
    );
    expect(await codeOf(() => bus.append(event("a.b"), nothing, { id: "1\r\n2" }))).toBe("invalid_header");
    const badName = { "x a": "b" };
    expect(await codeOf(() => bus.publish("hint.a", nothing, { headers: badName }))).toBe("invalid_header");
  },
};

/** How a bus ends. */
export const closingCases: BusCases = {
  "closing delivers what is in hand, and then nothing works any more": async ({ bus }) => {
    const seen: string[] = [];
    const statuses: boolean[] = [];
    bus.onStatus(({ connected }) => void statuses.push(connected));
    bus.subscribe("hint.a", async (message) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(text(message));
    });
    bus.respond("rpc.a", async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { data: bytes("answer") };
    });
    await settled(bus);
    for (let index = 0; index < 50; index++) bus.publish("hint.a", bytes(String(index)));
    const asked = bus.request("rpc.a", bytes(""), { timeoutMs: 5000 });
    await settled(bus);
    await Promise.all([bus.close(), bus.close()]);
    expect(seen).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
    expect(text(await asked)).toBe("answer");
    expect(bus.status().connected).toBe(false);
    expect(statuses).toEqual([false]);
    const afterwards: [string, () => unknown][] = [
      ["publish", () => bus.publish("hint.a", bytes(""))],
      ["append", () => bus.append(event("a.b"), bytes(""), { id: "1" })],
      ["request", () => bus.request("rpc.a", bytes(""), { timeoutMs: 5000 })],
      ["subscribe", () => bus.subscribe("hint.a", () => {})],
      ["respond", () => bus.respond("rpc.a", () => Promise.reject(new Error()))],
      ["consume", () => bus.consume({ durable: "a", pattern: "hub.>" }, () => {})],
      ["probe", () => bus.probe(5000)],
    ];
    for (const [what, work] of afterwards) expect([what, await codeOf(work)]).toEqual([what, "closed"]);
  },

  "a listener of the status that was taken back hears nothing": async ({ bus }) => {
    let heard = 0;
    bus.onStatus(() => void heard++)();
    await bus.close();
    expect(heard).toBe(0);
  },
};
