import { expect } from "expect";
import { type Bus, BusError, type BusErrorCode, type BusMessage, type Delivery } from "../../core/bus/bus.ts";
import { waitFor, within } from "../support/wait_for.ts";

/** An opened bus that a test owns, with the handler errors it was told of. */
export interface OpenedBus extends AsyncDisposable {
  readonly bus: Bus;
  readonly handlerErrors: { readonly error: unknown; readonly subject: string }[];
}

export interface BusSuite {
  /** Begins the name of every test. */
  readonly name: string;
  /** Opens a bus with nothing in it; messages of 1 MiB, a duplicate window of at least a minute. */
  readonly open: () => Promise<OpenedBus>;
  readonly test: (name: string, run: () => Promise<void>) => void;
}

const event = (type: string) => `hub.hub-1.${type}`;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const bytes = (text: string): Uint8Array => encoder.encode(text);
export const text = (message: BusMessage): string => decoder.decode(message.data);

/** Resolves when everything sent before is on its way to the handlers: the round trip orders it. */
const settled = (bus: Bus) => bus.probe(5000);

/** The code of the BusError that `work` ends in. */
export async function codeOf(work: () => unknown): Promise<BusErrorCode | undefined> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BusError) return error.code;
    throw error;
  }
  return undefined;
}

/** What every bus promises, whatever carries it. */
export function testBus(suite: BusSuite): void {
  liveMessages(suite);
  requests(suite);
  theStream(suite);
  durableConsumers(suite);
  limits(suite);
  closing(suite);
}

function liveMessages({ name, open, test }: BusSuite): void {
  test(`${name}: patterns decide who receives, and headers come along`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: a handler gets one message at a time, in order`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
    expect(opened.handlerErrors).toEqual([]);
  });

  test(`${name}: a queue shares the messages, everybody else gets all`, async () => {
    await using opened = await open();
    const { bus } = opened;
    const counts = { one: 0, two: 0, all: 0 };
    bus.subscribe("hint.a", () => void counts.one++, { queue: "workers" });
    bus.subscribe("hint.*", () => void counts.two++, { queue: "workers" });
    bus.subscribe("hint.a", () => void counts.all++);
    await settled(bus);
    for (let index = 0; index < 200; index++) bus.publish("hint.a", bytes("x"));
    await waitFor(() => counts.all === 200 && counts.one + counts.two >= 200, { what: "all messages" });
    expect(counts.one + counts.two).toBe(200);
    expect(Math.min(counts.one, counts.two)).toBeGreaterThan(0);
  });

  test(`${name}: a handler that throws is reported and gets the next message`, async () => {
    await using opened = await open();
    const { bus, handlerErrors } = opened;
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
  });

  test(`${name}: a stopped subscription receives nothing more`, async () => {
    await using opened = await open();
    const { bus } = opened;
    const seen: string[] = [];
    const stopped = bus.subscribe("hint.a", (message) => void seen.push(`stopped ${text(message)}`));
    bus.subscribe("hint.a", (message) => void seen.push(text(message)));
    await settled(bus);
    await stopped.stop();
    bus.publish("hint.a", bytes("1"));
    await waitFor(() => seen.length > 0, { what: "the message" });
    await settled(bus);
    expect(seen).toEqual(["1"]);
  });

  test(`${name}: a slow consumer stays bounded and hears of what it missed once per burst`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });
}

function requests({ name, open, test }: BusSuite): void {
  test(`${name}: a request gets its answer, with headers both ways`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: a request nobody answers fails at once`, async () => {
    await using opened = await open();
    const request = () => opened.bus.request("rpc.hub-1.nobody", bytes(""), { timeoutMs: 60_000 });
    expect(await within(codeOf(request), { what: "the refusal", timeoutMs: 5000 })).toBe("no_responders");
  });

  test(`${name}: a request has a deadline, and a late answer does no harm`, async () => {
    await using opened = await open();
    const { bus } = opened;
    const late = Promise.withResolvers<{ data: Uint8Array }>();
    bus.respond("rpc.a", () => late.promise);
    await settled(bus);
    expect(await codeOf(() => bus.request("rpc.a", bytes(""), { timeoutMs: 50 }))).toBe("timeout");
    late.resolve({ data: bytes("late") });
    await settled(bus);
    expect(opened.handlerErrors).toEqual([]);
  });

  test(`${name}: requests are answered at once up to the limit, and shared in a queue`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: a responder that throws is reported and answers the next request`, async () => {
    await using opened = await open();
    const { bus, handlerErrors } = opened;
    let calls = 0;
    bus.respond(
      "rpc.a",
      () => ++calls === 1 ? Promise.reject(new Error("no")) : Promise.resolve({ data: bytes("yes") }),
    );
    await settled(bus);
    expect(await codeOf(() => bus.request("rpc.a", bytes(""), { timeoutMs: 100 }))).toBe("timeout");
    expect(text(await bus.request("rpc.a", bytes(""), { timeoutMs: 5000 }))).toBe("yes");
    expect(handlerErrors.map(({ subject }) => subject)).toEqual(["rpc.a"]);
  });
}

function theStream({ name, open, test }: BusSuite): void {
  test(`${name}: appended events reach live subscribers, in the order of the calls`, async () => {
    await using opened = await open();
    const { bus } = opened;
    const seen: string[] = [];
    bus.subscribe("hub.>", (message) => void seen.push(text(message)), { maxPending: 2000 });
    await settled(bus);
    const sent = Array.from({ length: 1000 }, (_, index) => String(index));
    const appended = sent.map((item) => bus.append(event("a.b"), bytes(item), { id: `id-${item}` }));
    expect(await Promise.all(appended)).toEqual(sent.map(() => ({ duplicate: false })));
    await waitFor(() => seen.length === sent.length, { what: "all events" });
    expect(seen).toEqual(sent);
  });

  test(`${name}: the same id is stored once`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: the stream keeps its identity`, async () => {
    await using opened = await open();
    const identity = await opened.bus.streamIdentity();
    await opened.bus.append(event("a.b"), bytes("1"), { id: "1" });
    expect(await opened.bus.streamIdentity()).toBe(identity);
  });
}

function durableConsumers({ name, open, test }: BusSuite): void {
  test(`${name}: a durable consumer starts where it is told and goes on where it was`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: what was not handled is delivered again, with growing pauses, up to the maximum`, async () => {
    await using opened = await open();
    const { bus, handlerErrors } = opened;
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
  });

  test(`${name}: a handler that does not end in time counts as failed`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: consumers of one name share the events`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: stopping a consumer waits for the message in hand and loses none`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });
}

function limits({ name, open, test }: BusSuite): void {
  test(`${name}: a message that is too large is refused before it is sent`, async () => {
    await using opened = await open();
    const { bus } = opened;
    const large = new Uint8Array(1024 * 1024);
    const headers = { name: "value" };
    expect(await codeOf(() => bus.publish("hint.a", large, { headers }))).toBe("too_large");
    expect(await codeOf(() => bus.append(event("a.b"), large, { id: "1", headers }))).toBe("too_large");
    expect(await codeOf(() => bus.request("rpc.a", large, { timeoutMs: 5000, headers }))).toBe("too_large");
    expect(await codeOf(() => bus.append(event("a.b"), large.subarray(1000), { id: "2" }))).toBe(undefined);
    bus.respond("rpc.a", () => Promise.resolve({ data: large, headers }));
    await settled(bus);
    expect(await codeOf(() => bus.request("rpc.a", bytes(""), { timeoutMs: 100 }))).toBe("timeout");
    expect(opened.handlerErrors.map(({ error }) => (error as BusError).code)).toEqual(["too_large"]);
  });

  test(`${name}: subjects, patterns, names and headers are checked`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
    const badName = { "x a": "b" };
    expect(await codeOf(() => bus.publish("hint.a", nothing, { headers: badName }))).toBe("invalid_header");
  });
}

function closing({ name, open, test }: BusSuite): void {
  test(`${name}: closing delivers what is in hand, and then nothing works any more`, async () => {
    await using opened = await open();
    const { bus } = opened;
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
  });

  test(`${name}: a listener of the status that was taken back hears nothing`, async () => {
    await using opened = await open();
    const { bus } = opened;
    let heard = 0;
    bus.onStatus(() => void heard++)();
    await bus.close();
    expect(heard).toBe(0);
  });
}
