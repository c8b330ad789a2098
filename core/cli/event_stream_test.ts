import { expect } from "expect";
import fc from "fast-check";
import { readEventStream, StreamBroken } from "./event_stream.ts";

const encoder = new TextEncoder();

function bodyOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks) as ReadableStream<Uint8Array>;
}

Deno.test("messages are the same however the bytes are cut", async () => {
  const text = 'retry: 2000\n: connected\n\nid: 1\ndata: {"a":"ü👋"}\n\n: keepalive\n\n' +
    'id: 2\r\ndata: {"b":2}\r\n\r\nevent: error\ndata: one\ndata: two\n\n';
  const bytes = encoder.encode(text);
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
    const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
    const chunks = edges.slice(1).map((end, index) => bytes.slice(edges[index], end));
    const messages = await Array.fromAsync(readEventStream(bodyOf(chunks), { idleTimeoutMs: 5000 }));
    expect(messages.map(({ id, event, data }) => ({ id, event, data }))).toEqual([
      { id: "1", event: undefined, data: '{"a":"ü👋"}' },
      { id: "2", event: undefined, data: '{"b":2}' },
      { id: undefined, event: "error", data: "one\ntwo" },
    ]);
  }));
});

Deno.test("silence ends the stream, and its body is given back", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode("data: 1\n\n")),
    cancel: () => void (cancelled = true),
  });
  const messages = readEventStream(body, { idleTimeoutMs: 30 });
  expect((await messages.next()).value?.data).toBe("1");
  await expect(messages.next()).rejects.toThrow("nothing arrived for 0.03 s");
  expect(cancelled).toBe(true);
});

Deno.test("a broken connection is told as such, with its cause", async () => {
  const cause = new Error("reset by peer");
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(cause) });
  const failure = await readEventStream(body, { idleTimeoutMs: 5000 }).next().catch((error: unknown) =>
    error
  );
  expect(failure).toBeInstanceOf(StreamBroken);
  expect((failure as Error).cause).toBe(cause);
});

Deno.test("whoever stops reading gives the body back", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(encoder.encode("data: 1\n\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const message of readEventStream(body, { idleTimeoutMs: 5000 })) {
    expect(message.data).toBe("1");
    break;
  }
  expect(cancelled).toBe(true);
});
