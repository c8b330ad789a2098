import { jetstream } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";
import { expect } from "expect";
import { collectedEvents, publishTo, untilCollected } from "../../../tests/support/collected_events.ts";
import { startNatsServer } from "../../../tests/support/nats_server.ts";
import { startTestKernel } from "../../../tests/support/test_kernel.ts";
import { testWithNats } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

type Message = readonly [
  subject: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>>,
];

/** Puts messages into the stream as some other program with access to NATS may do. */
async function sendRaw(url: string, messages: readonly Message[]): Promise<void> {
  const connection = await connect({ servers: url });
  const client = jetstream(connection);
  await Promise.all(messages.map(([subject, body, attributes]) => {
    const all = headers();
    for (const [name, value] of Object.entries(attributes)) all.append(name, value);
    return client.publish(subject, body, { headers: all });
  }));
  await connection.close();
}

function attributes(id: string, changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    "ce-specversion": "1.0",
    "ce-id": id,
    "ce-source": "/hub/host-a/api",
    "ce-type": "demo.sent",
    "ce-time": "2026-01-01T00:00:00.000Z",
    "ce-correlationid": "c",
    ...changes,
  };
}

const subject = "hub.host-a.demo.sent";
const refusals: readonly (readonly [message: Message, reason: string])[] = [
  [[subject, "{}", {}], "ce-id"],
  [["hub.host-b.demo.sent", "{}", attributes("forged")], `under the subject of "host-b"`],
  [["hub.the-hub.demo.sent", "{}", attributes("forged-hub")], `under the subject of "the-hub"`],
  [[subject, "{}", attributes("as-the-hub", { "ce-source": "/hub/the-hub/api" })], `"the-hub" is its source`],
  [[subject, `{"text":"${"x".repeat(5000)}"}`, attributes("large")], "max_payload"],
  [[subject, "{", attributes("no-json")], "JSON"],
  [[subject, "[".repeat(3000) + "\n" + "]".repeat(3000), attributes("deep")], ""],
  [[subject, new Uint8Array([34, 255, 34]), attributes("no-utf-8")], ""],
  [[subject, "{}", attributes("%00")], "ce-id"],
  [[subject, "{}", attributes("x".repeat(300))], "ce-id"],
  [[subject, "{}", attributes("no-time", { "ce-time": "yesterday" })], "ce-time"],
  [[subject, "{}", attributes("no-type", { "ce-type": "no type" })], "ce-type"],
  [[subject, "{}", attributes("no-project", { "ce-subject": "No Slug" })], "ce-subject"],
  [[subject, "{}", attributes("no-trace", { "ce-traceparent": "00-x" })], "ce-traceparent"],
  [[subject, "{}", attributes("no-attributes", { "event-attributes": "[]" })], "event-attributes"],
  [[subject, `{"other":"content"}`, attributes("good-0")], "Another event"],
];

testWithNats("what is no event of its host is refused and shown, and holds nothing up", async () => {
  await using nats = await startNatsServer({});
  await using hub = await startTestKernel({
    plugins: [eventStore],
    busUrl: nats.url,
    nodeId: "the-hub",
    settings: { "event-store": { collect: ["hub.>"], max_payload: "4kb" } },
  });
  await publishTo(hub, { subject: "demo.own", payload: {} });
  await sendRaw(
    nats.url,
    refusals.flatMap((
      [message],
      index,
    ) => [[subject, `{"n": ${index}}`, attributes(`good-${index}`)], message]),
  );
  // A payload that breaks the line would break the lines of whoever reads the log.
  await sendRaw(nats.url, [[subject, `{\n"n": 99\n}`, attributes("lines")]]);
  const events = await untilCollected(hub, { origin: "host-a", count: refusals.length + 1 });
  expect(events.map(({ id }) => id)).toEqual([...refusals.map((_, index) => `good-${index}`), "lines"]);
  expect(events.at(-1)!.payload).toEqual({ n: 99 });
  expect((await collectedEvents(hub)).length).toBe(refusals.length + 2);

  const { items } = await (await hub.fetch("/api/events/collect/refused")).json();
  const shown = items.toReversed();
  expect(shown).toHaveLength(refusals.length);
  for (const [index, [[given, , { "ce-id": id = "" }], reason]] of refusals.entries()) {
    expect(shown[index]).toMatchObject({ subject: given, event_id: id.slice(0, 128) });
    expect(shown[index].error).toContain(reason);
  }
  const state = await (await hub.fetch("/api/events/collect")).json();
  expect(state).toEqual({
    patterns: [{ pattern: "hub.>", stream_seq: refusals.length * 2 + 2, behind: 0, problem: null }],
    refused: refusals.length,
  });
  const check = async () => {
    const { checks } = await (await hub.fetch("/health")).json();
    return checks.find(({ name }: { name: string }) => name === "collect");
  };
  expect(await check()).toMatchObject({ status: "degraded" });
  const forgotten = await hub.fetch("/api/events/collect/refused", { method: "DELETE" });
  expect(await forgotten.json()).toEqual({ forgotten: refusals.length });
  await waitFor(async () => (await check()).status === "up", { what: "the check to be up" });
});

testWithNats("however much is refused, what is remembered of it stays bounded", async () => {
  await using nats = await startNatsServer({});
  await using hub = await startTestKernel({
    plugins: [eventStore],
    busUrl: nats.url,
    nodeId: "the-hub",
    settings: { "event-store": { collect: ["hub.>"] } },
  });
  await sendRaw(
    nats.url,
    Array.from({ length: 1300 }, (_, n) => [subject, "{", attributes(`bad-${n}`)] as const),
  );
  const { items } = await waitFor(async () => {
    const { patterns, refused } = await (await hub.fetch("/api/events/collect")).json();
    return patterns[0].stream_seq === 1300 && refused === 1000 &&
      await (await hub.fetch("/api/events/collect/refused")).json();
  }, { what: "all of it to be refused" });
  expect(items.map(({ event_id }: { event_id: string }) => event_id)).toEqual(
    Array.from({ length: 1000 }, (_, n) => `bad-${1299 - n}`),
  );
});
