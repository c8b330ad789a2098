import { expect } from "expect";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

interface Item {
  readonly seq: number;
  readonly type: string;
  readonly payload: { readonly n: number };
}

async function start(settings = {}): Promise<TestKernel> {
  return await startTestKernel({ plugins: [eventStore], settings: { "event-store": settings } });
}

async function publish(kernel: TestKernel, n: number, subject = "demo.made", text = ""): Promise<void> {
  const response = await kernel.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject, payload: { n, text } }),
  });
  expect(response.status).toBe(201);
  await response.body?.cancel();
}

interface SseFrame {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly comment?: string;
}

/** Reads frames until the answer is yes, then hangs up. */
async function readSse(response: Response, enough: (frames: SseFrame[]) => boolean): Promise<SseFrame[]> {
  const frames: SseFrame[] = [];
  let rest = "";
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  while (!enough(frames)) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const fields = part.split("\n").map((
        line,
      ) => [line.slice(0, line.indexOf(":")) || "comment", line.replace(/^[^:]*: ?/, "")]);
      frames.push(Object.fromEntries(fields));
    }
  }
  await reader.cancel();
  return frames;
}

const items = (frames: SseFrame[]): Item[] =>
  frames.filter((frame) => frame.id).map((frame) => JSON.parse(frame.data!));

function openSocket(
  kernel: TestKernel,
  query: string,
): { socket: WebSocket; frames: unknown[]; closed: Promise<CloseEvent> } {
  const socket = new WebSocket(`${kernel.url.replace("http", "ws")}/api/events/stream?${query}`);
  const frames: unknown[] = [];
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  return { socket, frames, closed };
}

async function ticket(kernel: TestKernel): Promise<string> {
  const response = await kernel.fetch("/api/events/tickets", { method: "POST" });
  expect(response.status).toBe(201);
  return (await response.json()).ticket;
}

Deno.test("SSE: history, then live, ids are sequences, and Last-Event-ID goes on from there", async () => {
  await using kernel = await start();
  for (let n = 1; n <= 3; n++) await publish(kernel, n);
  const stream = await kernel.fetch("/api/events/sse?after_seq=1&subject=demo.>");
  expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const reading = readSse(stream, (frames) => items(frames).length >= 4);
  for (let n = 4; n <= 5; n++) await publish(kernel, n);
  const frames = await reading;
  expect(items(frames).map((item) => item.payload.n)).toEqual([2, 3, 4, 5]);
  expect(frames.filter((frame) => frame.id).map((frame) => frame.id)).toEqual(["2", "3", "4", "5"]);

  const again = await kernel.fetch("/api/events/sse?after_seq=0", { headers: { "last-event-id": "4" } });
  expect(items(await readSse(again, (all) => items(all).length >= 1))).toMatchObject([{ seq: 5 }]);
});

Deno.test("SSE: without a start there is no history; filters hold for live events too", async () => {
  await using kernel = await start();
  await publish(kernel, 1);
  const stream = await kernel.fetch("/api/events/sse?type=demo.wanted");
  const reading = readSse(stream, (frames) => items(frames).length >= 1);
  await publish(kernel, 2);
  await publish(kernel, 3, "demo.wanted");
  expect(items(await reading)).toMatchObject([{ payload: { n: 3 } }]);
});

Deno.test("SSE: an idle stream shows signs of life", async () => {
  await using kernel = await start({ stream: { keepalive: "1s" } });
  const stream = await kernel.fetch("/api/events/sse");
  const frames = await readSse(stream, (all) => all.some((frame) => frame.comment === "keepalive"));
  expect(frames.some((frame) => frame.comment === "keepalive")).toBe(true);
});

Deno.test("SSE: a reader that does not read is told so and cut off, others go on", async () => {
  await using kernel = await start({ stream: { buffer: 100 } });
  const slow = await kernel.fetch("/api/events/sse");
  const quick = await kernel.fetch("/api/events/sse");
  const text = "x".repeat(50_000);
  const count = 300; // far more than the buffer and what the sockets between hold
  const reading = readSse(quick, (frames) => items(frames).length >= count);
  for (let n = 1; n <= count; n++) await publish(kernel, n, "demo.made", text);
  expect(items(await reading)).toHaveLength(count);
  const frames = await readSse(slow, () => false);
  expect(JSON.parse(frames.at(-1)!.data!)).toMatchObject({ code: "slow_reader", status: 429 });
  expect(frames.at(-1)!.event).toBe("error");
  expect(items(frames).map((item) => item.seq)).toEqual(items(frames).map((_, index) => index + 1));
});

Deno.test("WebSocket: history, then live, without a gap or a repetition while many publish", async () => {
  await using kernel = await start();
  for (let n = 1; n <= 50; n++) await publish(kernel, n);
  const publishing = Promise.all(Array.from({ length: 100 }, (_, index) => publish(kernel, 51 + index)));
  const { socket, frames, closed } = openSocket(kernel, `after_seq=0&ticket=${await ticket(kernel)}`);
  await waitFor(() => frames.length >= 150, { what: "all events" });
  expect(frames.map((frame) => (frame as Item).seq)).toEqual(
    Array.from({ length: 150 }, (_, index) => index + 1),
  );
  await publishing;
  socket.close();
  await closed;
  await waitFor(async () => (await (await kernel.fetch("/api/events/stats")).json()).stream_clients === 0, {
    what: "the stream to be gone",
  });
});

Deno.test("WebSocket: in batches the same events arrive in the same order, in fewer messages", async () => {
  await using kernel = await start();
  await Promise.all(Array.from({ length: 300 }, (_, n) => publish(kernel, n)));
  const { socket, frames, closed } = openSocket(
    kernel,
    `after_seq=0&batch=true&ticket=${await ticket(kernel)}`,
  );
  await publish(kernel, 300);
  const events = () => frames.flat() as Item[];
  await waitFor(() => events().length >= 301, { what: "all events" });
  expect(events().map((event) => event.seq)).toEqual(Array.from({ length: 301 }, (_, index) => index + 1));
  expect(frames.length).toBeLessThan(20);
  socket.close();
  await closed;
});

Deno.test("a reader that has seen more than the log holds is told, rather than kept waiting", async () => {
  await using kernel = await start();
  await publish(kernel, 1);
  const answer = await kernel.fetch("/api/events/sse", { headers: { "last-event-id": "17" } });
  expect([answer.status, (await answer.json()).code]).toEqual([409, "beyond_end"]);
  const atEnd = await kernel.fetch("/api/events/sse?after_seq=1");
  expect(atEnd.status).toBe(200);
  await atEnd.body?.cancel();
});

Deno.test("a ticket is good for one connection", async () => {
  await using kernel = await start();
  const once = await ticket(kernel);
  const first = openSocket(kernel, `ticket=${once}`);
  await new Promise((resolve) => first.socket.onopen = resolve);
  const second = await fetch(`${kernel.url}/api/events/sse?ticket=${once}`);
  expect(second.status).toBe(401);
  await second.body?.cancel();
  const without = await fetch(`${kernel.url}/api/events/sse`);
  expect(without.status).toBe(401);
  await without.body?.cancel();
  first.socket.close();
  await first.closed;
});

Deno.test("a stream ends when its key is revoked", async () => {
  await using kernel = await start({ stream: { keepalive: "1s" } });
  const made = await kernel.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "short", scopes: ["read"] }),
  });
  const { id, key } = await made.json();
  const stream = await kernel.fetch("/api/events/sse", { headers: { authorization: `Bearer ${key}` } });
  const reading = readSse(stream, () => false);
  await kernel.fetch(`/api/keys/${id}`, { method: "DELETE" });
  const frames = await reading;
  expect(JSON.parse(frames.at(-1)!.data!)).toMatchObject({ code: "key_ended" });
});

Deno.test("streams are bounded in number and end when the agent stops", async () => {
  await using kernel = await start({ stream: { max_clients: 1 } });
  const { frames, closed } = openSocket(kernel, `ticket=${await ticket(kernel)}&after_seq=0`);
  await publish(kernel, 1);
  await waitFor(() => frames.length === 1, { what: "the first event" });
  const refused = await kernel.fetch("/api/events/sse");
  expect([refused.status, (await refused.json()).code]).toEqual([503, "too_many_streams"]);
  const plain = await kernel.fetch("/api/events/stream");
  expect([503, 426]).toContain(plain.status);
  await plain.body?.cancel();
  await kernel.stop();
  expect((await closed).code).toBe(1001);
});

Deno.test("SSE: HEAD takes no place among the streams", async () => {
  await using kernel = await start({ stream: { max_clients: 1 } });
  for (let request = 1; request <= 3; request++) {
    const head = await kernel.fetch("/api/events/sse", { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
    await head.body?.cancel();
  }
  expect((await (await kernel.fetch("/api/events/stats")).json()).stream_clients).toBe(0);
  const stream = await kernel.fetch("/api/events/sse");
  expect(stream.status).toBe(200);
  await stream.body?.cancel();
});

Deno.test("SSE: a reader that leaves with events it did not read gives its place back", async () => {
  await using kernel = await start({ stream: { max_clients: 1 } });
  const stream = await kernel.fetch("/api/events/sse");
  const clients = async () => (await (await kernel.fetch("/api/events/stats")).json()).stream_clients;
  expect(await clients()).toBe(1);
  for (let n = 1; n <= 3; n++) await publish(kernel, n);
  await stream.body?.cancel();
  await waitFor(async () => await clients() === 0, { what: "the stream to be gone" });
});

Deno.test("pages of large stored events stay small, and together they are everything", async () => {
  await using kernel = await start();
  const text = "x".repeat(200_000);
  for (let published = 0; published < 200; published += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, n) => publish(kernel, n, "demo.large", text)));
  }
  const seqs: number[] = [];
  let cursor = "";
  do {
    const page = await (await kernel.fetch(`/api/events?limit=1000${cursor}`)).text();
    expect(page.length).toBeLessThan(3.5 * 1024 * 1024); // the rows of one statement, 16 at first
    const { items: found, next } = JSON.parse(page);
    seqs.push(...found.map((item: Item) => item.seq));
    cursor = next === null ? "" : `&cursor=${next}`;
  } while (cursor !== "");
  expect(seqs).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
});
