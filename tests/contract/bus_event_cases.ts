import { expect } from "expect";
import type { BusMessage, Delivery } from "../../core/bus/bus.ts";
import { waitFor } from "../support/wait_for.ts";
import { type BusCases, bytes, event, settled, text } from "./bus_case.ts";

/** Events in the stream. */
export const streamCases: BusCases = {
  "appended events reach live subscribers, in the order of the calls": async ({ bus }) => {
    const seen: string[] = [];
    bus.subscribe("hub.>", (message) => void seen.push(text(message)), { maxPending: 2000 });
    await settled(bus);
    const sent = Array.from({ length: 1000 }, (_, index) => String(index));
    const appended = sent.map((item) => bus.append(event("a.b"), bytes(item), { id: `id-${item}` }));
    expect(await Promise.all(appended)).toEqual(sent.map(() => ({ duplicate: false })));
    await waitFor(() => seen.length === sent.length, { what: "all events" });
    expect(seen).toEqual(sent);
  },

  "an event comes with its headers and no others": async ({ bus }) => {
    const seen: unknown[] = [];
    const keep = ({ subject, data, headers }: BusMessage) => void seen.push({ subject, data, headers });
    bus.subscribe("hub.>", keep);
    bus.consume({ durable: "reader", pattern: "hub.>" }, keep);
    await settled(bus);
    const sent = { subject: event("a.b"), data: bytes("1"), headers: { "ce-id": "1", "ce-type": "a.b" } };
    await bus.append(sent.subject, sent.data, { id: "1", headers: sent.headers });
    await waitFor(() => seen.length === 2, { what: "both" });
    expect(seen).toEqual([sent, sent]);
  },

  "the same id is stored once": async ({ bus }) => {
    const answers = [];
    for (const id of ["one", "one", "two"]) answers.push(await bus.append(event("a.b"), bytes(id), { id }));
    expect(answers.map(({ duplicate }) => duplicate)).toEqual([false, true, false]);
    const seen: string[] = [];
    bus.consume(
      { durable: "reader", pattern: "hub.>", start: "first" },
      (message) => void seen.push(text(message)),
    );
    await waitFor(() => seen.length === 2, { what: "two events" });
    expect(seen).toEqual(["one", "two"]);
  },

  "the stream keeps its identity": async ({ bus }) => {
    const identity = await bus.streamIdentity();
    await bus.append(event("a.b"), bytes("1"), { id: "1" });
    expect(await bus.streamIdentity()).toBe(identity);
  },
};

/** Consumers that remember where they were. */
export const durableCases: BusCases = {
  "a durable consumer starts where it is told and goes on where it was": async ({ bus }) => {
    const append = (id: string, type = "a.b") => bus.append(event(type), bytes(id), { id });
    const seen: string[] = [];
    const consume = (durable: string, start: "first" | "new") =>
      bus.consume(
        { durable, pattern: "hub.*.a.*", start },
        (message) => void seen.push(`${durable} ${message.attempt} ${text(message)}`),
      );
    await append("before");
    const first = consume("all", "first");
    await waitFor(() => seen.length === 1, { what: "the event from before" });
    await first.stop();
    await append("meanwhile");
    await append("another", "b.c");
    consume("all", "first");
    await waitFor(() => seen.length === 2, { what: "the event from meanwhile" });
    await settled(bus);
    consume("later", "new");
    await append("at last");
    await waitFor(() => seen.includes("later 1 at last"), { what: "the new consumer" });
    expect(seen.slice(0, 2)).toEqual(["all 1 before", "all 1 meanwhile"]);
    expect(seen.filter((line) => /^later \d (before|meanwhile)/.test(line))).toEqual([]);
    expect(seen.filter((line) => line.includes("another"))).toEqual([]);
  },

  "what was not handled is delivered again, with growing pauses, up to the maximum": async (
    { bus, handlerErrors },
  ) => {
    const attempts: { attempt: number; at: number }[] = [];
    const others: string[] = [];
    const givenUp: unknown[] = [];
    bus.consume({
      durable: "reader",
      pattern: "hub.>",
      start: "first",
      backoffMs: [40, 160],
      maxDeliveries: 4,
      onGivenUp: (message, error) => givenUp.push([text(message), (error as Error).message]),
    }, (message: Delivery) => {
      if (text(message) !== "poison") return void others.push(text(message));
      attempts.push({ attempt: message.attempt, at: performance.now() });
      throw new Error(`no ${message.attempt}`);
    });
    for (const id of ["before", "poison", "after"]) await bus.append(event("a.b"), bytes(id), { id });
    await waitFor(() => givenUp.length === 1, { what: "the message to be given up" });
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    const pauses = attempts.slice(1).map(({ at }, index) => at - attempts[index]!.at);
    expect(pauses.map((ms, index) => ms >= [40, 160, 160][index]! - 5)).toEqual([true, true, true]);
    expect(givenUp).toEqual([["poison", "no 4"]]);
    expect(others).toEqual(["before", "after"]);
    expect(handlerErrors).toHaveLength(4);
    await bus.append(event("a.b"), bytes("next"), { id: "next" });
    await waitFor(() => others.length === 3, { what: "the next event" });
    expect(attempts).toHaveLength(4);
  },

  "a handler that does not end in time counts as failed": async ({ bus }) => {
    const seen: string[] = [];
    const released = Promise.withResolvers<void>();
    bus.consume(
      { durable: "reader", pattern: "hub.>", start: "first", ackWaitMs: 150, backoffMs: [10] },
      async (message) => {
        seen.push(`${message.attempt} ${text(message)}`);
        if (message.attempt === 1 && text(message) === "slow") await released.promise;
      },
    );
    for (const id of ["slow", "quick"]) await bus.append(event("a.b"), bytes(id), { id });
    await waitFor(() => seen.includes("2 slow") && seen.includes("1 quick"), { what: "the second delivery" });
    released.resolve();
  },

  "consumers of one name share the events": async ({ bus }) => {
    const seen: string[][] = [[], []];
    for (const index of [0, 1]) {
      bus.consume({ durable: "shared", pattern: "hub.>", start: "first" }, async (message) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen[index]!.push(text(message));
      });
    }
    const sent = Array.from({ length: 200 }, (_, index) => String(index));
    await Promise.all(sent.map((id) => bus.append(event("a.b"), bytes(id), { id })));
    await waitFor(() => seen.flat().length >= sent.length, { what: "all events" });
    expect(seen.flat().sort()).toEqual([...sent].sort());
    expect(Math.min(...seen.map(({ length }) => length))).toBeGreaterThan(0);
  },

  "with concurrency handlers are begun in order, and no more of them than asked for": async ({ bus }) => {
    const begun: string[] = [];
    let inHand = 0;
    let most = 0;
    bus.consume(
      { durable: "reader", pattern: "hub.>", start: "first", concurrency: 8 },
      async (message) => {
        begun.push(text(message));
        most = Math.max(most, ++inHand);
        await new Promise((resolve) => setTimeout(resolve, 1));
        inHand--;
      },
    );
    const sent = Array.from({ length: 300 }, (_, index) => String(index));
    await Promise.all(sent.map((id) => bus.append(event("a.b"), bytes(id), { id })));
    await waitFor(() => begun.length === sent.length && inHand === 0, { what: "all events" });
    expect(begun).toEqual(sent);
    expect(most).toBeLessThanOrEqual(8);
  },

  "stopping a consumer waits for the message in hand and loses none": async ({ bus }) => {
    const seen: string[] = [];
    const started = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const sent = Array.from({ length: 20 }, (_, index) => String(index));
    for (const id of sent) await bus.append(event("a.b"), bytes(id), { id });
    const options = { durable: "reader", pattern: "hub.>", start: "first" } as const;
    const first = bus.consume(options, async (message) => {
      if (text(message) === "5") {
        started.resolve();
        await released.promise;
      }
      seen.push(text(message));
    });
    await started.promise;
    let stopped = false;
    const stopping = first.stop().then(() => stopped = true);
    await settled(bus);
    expect(stopped).toBe(false);
    released.resolve();
    await stopping;
    expect(seen).toEqual(sent.slice(0, 6));
    bus.consume(options, (message) => void seen.push(text(message)));
    await waitFor(() => new Set(seen).size === sent.length, { what: "the others" });
    expect(seen).toHaveLength(sent.length);
  },
};
