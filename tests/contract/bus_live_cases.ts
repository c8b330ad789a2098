import { expect } from "expect";
import type { BusMessage } from "../../core/bus/bus.ts";
import { waitFor, within } from "../support/wait_for.ts";
import { type BusCases, bytes, codeOf, settled, text } from "./bus_case.ts";

/** Messages that nobody keeps. */
export const liveCases: BusCases = {
  "patterns decide who receives, and headers come along": async ({ bus }) => {
    const seen: Record<string, string[]> = {};
    for (const pattern of ["hint.a", "hint.*", "hint.>", "*.a", "other.>"]) {
      bus.subscribe(
        pattern,
        (message) => void (seen[pattern] ??= []).push(`${message.subject}=${text(message)}`),
      );
    }
    const headers: BusMessage["headers"][] = [];
    bus.subscribe("hint.a", (message) => void headers.push(message.headers));
    await settled(bus);
    bus.publish("hint.a", bytes("1"), { headers: { "X-Correlation-ID": "c-1", "ce-type": "ünï" } });
    bus.publish("hint.b", bytes("2"));
    bus.publish("hint.a.b", bytes("3"));
    await waitFor(() => seen["hint.>"]?.length === 3, { what: "three messages" });
    expect(seen).toEqual({
      "hint.a": ["hint.a=1"],
      "hint.*": ["hint.a=1", "hint.b=2"],
      "hint.>": ["hint.a=1", "hint.b=2", "hint.a.b=3"],
      "*.a": ["hint.a=1"],
    });
    expect(headers).toEqual([{ "x-correlation-id": "c-1", "ce-type": "ünï" }]);
  },

  "a handler gets one message at a time, in order": async ({ bus, handlerErrors }) => {
    const seen: string[] = [];
    let atOnce = 0;
    bus.subscribe("hint.a", async (message) => {
      expect(++atOnce).toBe(1);
      await Promise.resolve();
      seen.push(text(message));
      atOnce--;
    });
    await settled(bus);
    const sent = Array.from({ length: 200 }, (_, index) => String(index));
    for (const item of sent) bus.publish("hint.a", bytes(item));
    await waitFor(() => seen.length === sent.length, { what: "all messages" });
    expect(seen).toEqual(sent);
    expect(handlerErrors).toEqual([]);
  },

  "a queue shares the messages, everybody else gets all": async ({ bus }) => {
    const counts = { one: 0, two: 0, all: 0 };
    bus.subscribe("hint.a", () => void counts.one++, { queue: "workers" });
    bus.subscribe("hint.*", () => void counts.two++, { queue: "workers" });
    bus.subscribe("hint.a", () => void counts.all++);
    await settled(bus);
    for (let index = 0; index < 200; index++) bus.publish("hint.a", bytes("x"));
    await waitFor(() => counts.all === 200 && counts.one + counts.two >= 200, { what: "all messages" });
    expect(counts.one + counts.two).toBe(200);
    expect(Math.min(counts.one, counts.two)).toBeGreaterThan(0);
  },

  "a handler that throws is reported and gets the next message": async ({ bus, handlerErrors }) => {
    const seen: string[] = [];
    bus.subscribe("hint.a", (message) => {
      seen.push(text(message));
      if (seen.length === 1) throw new Error("at once");
      if (seen.length === 2) return Promise.reject(new Error("later"));
    });
    await settled(bus);
    for (const item of ["1", "2", "3"]) bus.publish("hint.a", bytes(item));
    await waitFor(() => seen.length === 3, { what: "three messages" });
    expect(handlerErrors.map(({ error, subject }) => [(error as Error).message, subject])).toEqual([
      ["at once", "hint.a"],
      ["later", "hint.a"],
    ]);
  },

  "a stopped subscription receives nothing more": async ({ bus }) => {
    const seen: string[] = [];
    const stopped = bus.subscribe("hint.a", (message) => void seen.push(`stopped ${text(message)}`));
    bus.subscribe("hint.a", (message) => void seen.push(text(message)));
    await settled(bus);
    await stopped.stop();
    bus.publish("hint.a", bytes("1"));
    await waitFor(() => seen.length > 0, { what: "the message" });
    await settled(bus);
    expect(seen).toEqual(["1"]);
  },

  "a slow consumer stays bounded and hears of what it missed once per burst": async ({ bus }) => {
    const released = Promise.withResolvers<void>();
    const seen: string[] = [];
    const dropped: number[] = [];
    bus.subscribe("hint.a", async (message) => {
      seen.push(text(message));
      await released.promise;
    }, { maxPending: 10, onDropped: (count) => void dropped.push(count) });
    let fast = 0;
    bus.subscribe("hint.a", () => void fast++);
    await settled(bus);
    bus.publish("hint.a", bytes("first"));
    await waitFor(() => seen.length === 1, { what: "the first message" });
    for (let index = 0; index < 500; index++) bus.publish("hint.a", bytes(String(index)));
    await waitFor(() => fast === 501, { what: "the fast consumer" });
    expect(dropped).toEqual([1]);
    released.resolve();
    await waitFor(() => seen.length === 11, { what: "what had waited" });
    bus.publish("hint.a", bytes("last"));
    await waitFor(() => seen.at(-1) === "last", { what: "the next message" });
    expect(seen).toEqual(["first", ...Array.from({ length: 10 }, (_, index) => String(index)), "last"]);
  },
};

/** Requests and their answers. */
export const requestCases: BusCases = {
  "a request gets its answer, with headers both ways": async ({ bus }) => {
    bus.respond(
      "rpc.hub-1.>",
      (message) =>
        Promise.resolve({
          data: bytes(`${text(message)}!`),
          headers: { "x-asked": message.headers["x-from"] ?? "" },
        }),
    );
    await settled(bus);
    const options = { timeoutMs: 5000, headers: { "X-From": "me" } };
    const answer = await bus.request("rpc.hub-1.catalog.list", bytes("hello"), options);
    expect(text(answer)).toBe("hello!");
    expect(answer.headers).toEqual({ "x-asked": "me" });
    expect(answer.subject).toBe("rpc.hub-1.catalog.list");
  },

  "a request nobody answers fails at once": async ({ bus }) => {
    const request = () => bus.request("rpc.hub-1.nobody", bytes(""), { timeoutMs: 60_000 });
    expect(await within(codeOf(request), { what: "the refusal", timeoutMs: 5000 })).toBe("no_responders");
  },

  "a request has a deadline, and a late answer does no harm": async ({ bus, handlerErrors }) => {
    const late = Promise.withResolvers<{ data: Uint8Array }>();
    bus.respond("rpc.a", () => late.promise);
    await settled(bus);
    expect(await codeOf(() => bus.request("rpc.a", bytes(""), { timeoutMs: 50 }))).toBe("timeout");
    late.resolve({ data: bytes("late") });
    await settled(bus);
    expect(handlerErrors).toEqual([]);
  },

  "requests are answered at once up to the limit, and shared in a queue": async ({ bus }) => {
    const counts = [0, 0];
    let atOnce = 0;
    let most = 0;
    for (const index of [0, 1]) {
      bus.respond("rpc.a", async () => {
        counts[index]!++;
        most = Math.max(most, ++atOnce);
        await new Promise((resolve) => setTimeout(resolve, 1));
        atOnce--;
        return { data: bytes("") };
      }, { queue: "workers", concurrency: 4 });
    }
    await settled(bus);
    const asked = Array.from({ length: 100 }, () => bus.request("rpc.a", bytes(""), { timeoutMs: 5000 }));
    await Promise.all(asked);
    expect(counts[0]! + counts[1]!).toBe(100);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(most).toBeGreaterThan(4);
    expect(most).toBeLessThanOrEqual(8);
  },

  "a responder that throws is reported and answers the next request": async ({ bus, handlerErrors }) => {
    let calls = 0;
    bus.respond(
      "rpc.a",
      () => ++calls === 1 ? Promise.reject(new Error("no")) : Promise.resolve({ data: bytes("yes") }),
    );
    await settled(bus);
    expect(await codeOf(() => bus.request("rpc.a", bytes(""), { timeoutMs: 100 }))).toBe("timeout");
    expect(text(await bus.request("rpc.a", bytes(""), { timeoutMs: 5000 }))).toBe("yes");
    expect(handlerErrors.map(({ subject }) => subject)).toEqual(["rpc.a"]);
  },
};
