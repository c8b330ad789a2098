import { expect } from "expect";
import fc from "fast-check";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import {
  type SeededKernel,
  startSeededKernel,
  testOnEveryLog,
} from "../../../tests/support/seeded_kernel.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";

type Json = Record<string, unknown>;

const start = Date.parse("2026-01-01T00:00:00Z");

/** `count` events with all sorts of subjects, projects, nodes and times; the index is their payload. */
function manyDrafts(count: number) {
  return Array.from({ length: count }, (_, n) => {
    const node = ["a", "b"][n % 2]!;
    return eventDraft(`hub.${node}.${["demo.made", "demo.made.twice", "order.paid"][n % 3]}`, {
      origin: { nodeId: node, service: "api", user: null },
      project: [null, "red", "blue"][Math.floor(n / 3) % 3]!,
      correlationId: `c${n % 5}`,
      time: new Date(start + n * 1000).toISOString(),
      data: { n },
    });
  });
}

async function send(kernel: SeededKernel, method: string, path: string, body?: Json, headers = {}) {
  const answer = await kernel.fetch(path, {
    method,
    headers: { ...(body ? { "content-type": "application/json" } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: answer.status, body: await answer.json() };
}

async function begin(kernel: SeededKernel, body: Json, headers = {}): Promise<string> {
  const answer = await send(kernel, "POST", "/api/events/replay", body, headers);
  expect(answer).toMatchObject({ status: 202, body: { state: "running" } });
  return answer.body.id;
}

async function ended(kernel: SeededKernel, id: string) {
  return await waitFor(async () => {
    const { body } = await send(kernel, "GET", `/api/events/replay/${id}`);
    return body.state !== "running" && body;
  }, { what: "the replay to end", timeoutMs: 20_000 });
}

function sequences(kernel: SeededKernel, id: string): number[] {
  return kernel.messages.filter((message) => message.subject.startsWith(`replay.${id}.`))
    .map((message) => Number(message.headers["ce-sequence"]));
}

async function queried(kernel: SeededKernel, filter: Json): Promise<number[]> {
  const { until_seq: untilSeq = Infinity, ...rest } = filter;
  const query = new URLSearchParams({ limit: "1000" });
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query.set(name, String(value));
  const { body } = await send(kernel, "GET", `/api/events?${query}`);
  return body.items.map(({ seq }: { seq: number }) => seq).filter((seq: number) => seq <= Number(untilSeq));
}

testOnEveryLog(
  "a replay publishes stored events under its own subjects, and never under theirs",
  async (place) => {
    await using kernel = await startSeededKernel(place, { drafts: manyDrafts(30) });
    const id = await begin(kernel, {});
    expect(await ended(kernel, id)).toMatchObject({
      state: "completed",
      subject: `replay.${id}.>`,
      node_id: "here",
      speed: 0,
      replayed: 30,
      skipped: 0,
      position: 30,
      of: 30,
      started_by: "admin@here",
      error: null,
    });
    await waitFor(() => kernel.messages.length === 30, { what: "the last message" });
    const [first] = kernel.messages;
    expect(first).toMatchObject({
      subject: `replay.${id}.hub.a.demo.made`,
      headers: { "ce-type": "demo.made", "ce-source": "/hub/a/api", "ce-replayid": id, "ce-sequence": "1" },
    });
    expect(new TextDecoder().decode(first!.data)).toBe('{"n":0}');
    expect(kernel.messages.filter(({ subject }) => subject.startsWith("hub."))).toEqual([]);
  },
);

testOnEveryLog("what is replayed is what a query finds, in its order", async (place) => {
  await using kernel = await startSeededKernel(place, { drafts: manyDrafts(300) });
  const maybe = <Value>(values: Value[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
  const time = fc.integer({ min: 0, max: 310 }).map((n) => new Date(start + n * 1000).toISOString());
  const filters = fc.record({
    subject: maybe(["demo.>", "hub.a.>", "hub.*.demo.made", "order.paid", "hub.b.order.paid"]),
    type: maybe(["demo.>", "*.paid", "demo.made"]),
    project: maybe(["red", "blue", "none"]),
    origin: maybe(["a", "b", "c"]),
    correlation_id: maybe(["c1", "c4"]),
    since: fc.option(time, { nil: undefined }),
    until: fc.option(time, { nil: undefined }),
    after_seq: fc.option(fc.integer({ min: 0, max: 310 }), { nil: undefined }),
    until_seq: fc.option(fc.integer({ min: 0, max: 310 }), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(filters, async (filter) => {
      const id = await begin(kernel, filter);
      const { state, replayed } = await ended(kernel, id);
      const expected = await queried(kernel, filter);
      expect({ state, replayed }).toEqual({ state: "completed", replayed: expected.length });
      await waitFor(() => sequences(kernel, id).length >= expected.length, { what: "the messages" });
      expect(sequences(kernel, id)).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

testOnEveryLog(
  "with a speed events come as far apart as they happened, and a gap can be cut",
  async (place) => {
    const times = [0, 1500, 3000, 86_400_000];
    const drafts = times.map((ms) =>
      eventDraft("hub.a.demo.made", { time: new Date(start + ms).toISOString() })
    );
    await using kernel = await startSeededKernel(place, { drafts });
    const began = performance.now();
    const id = await begin(kernel, { speed: 10, max_gap: "400ms" });
    const { replayed } = await ended(kernel, id);
    const tookMs = performance.now() - began;
    expect(replayed).toBe(4);
    expect(tookMs).toBeGreaterThan(690);
    expect(tookMs).toBeLessThan(5000);
  },
);

testOnEveryLog("a replay is cancelled at once, also in the middle of a long wait", async (place) => {
  const drafts = [0, 3_600_000].map((ms) =>
    eventDraft("hub.a.demo.made", { time: new Date(start + ms).toISOString() })
  );
  await using kernel = await startSeededKernel(place, { drafts });
  const id = await begin(kernel, { speed: 1 });
  await waitFor(() => sequences(kernel, id).length === 1, { what: "the first event" });
  const began = performance.now();
  const { status, body } = await send(kernel, "DELETE", `/api/events/replay/${id}`);
  expect(performance.now() - began).toBeLessThan(1000);
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { state: "cancelled", replayed: 1, position: 1 },
  });
  expect(body.ended_at).not.toBeNull();
  const again = await send(kernel, "DELETE", `/api/events/replay/${id}`);
  expect(again.body).toEqual(body);
});

testOnEveryLog("only so many run at once, and only so many that ended are remembered", async (place) => {
  const drafts = [0, 3_600_000].map((ms) =>
    eventDraft("hub.a.demo.made", { time: new Date(start + ms).toISOString() })
  );
  const settings = { "event-store": { replay: { max_running: 2, keep: 2 } } };
  await using kernel = await startSeededKernel(place, { drafts, settings });
  const refused = await Promise.all(
    [1, 2, 3].map(() => send(kernel, "POST", "/api/events/replay", { speed: 1 })),
  );
  expect(refused.map(({ status }) => status).toSorted()).toEqual([202, 202, 409]);
  expect(refused.find(({ status }) => status === 409)!.body.code).toBe("too_many_replays");
  const listed = await send(kernel, "GET", "/api/events/replay");
  expect(listed.body.items.map(({ state }: Json) => state)).toEqual(["running", "running"]);
  for (const { id } of listed.body.items) await send(kernel, "DELETE", `/api/events/replay/${id}`);
  const later: string[] = [];
  for (let n = 0; n < 4; n++) {
    later.unshift(await begin(kernel, {}));
    await ended(kernel, later[0]!);
  }
  const { body } = await send(kernel, "GET", "/api/events/replay?limit=2");
  expect(body.items.map(({ id }: Json) => id)).toEqual(later.slice(0, 2));
  const rest = await send(kernel, "GET", `/api/events/replay?limit=2&cursor=${body.next}`);
  expect(rest.body).toMatchObject({ items: [{ id: later[2] }], next: null });
});

testOnEveryLog("a key limited to projects replays those, and knows of no other replays", async (place) => {
  await using kernel = await startSeededKernel(place, { drafts: manyDrafts(30) });
  const created = await send(kernel, "POST", "/api/keys", {
    name: "red",
    scopes: ["write"],
    projects: ["red"],
  });
  const red = { authorization: `Bearer ${created.body.key}` };
  const all = await begin(kernel, {});
  const own = await begin(kernel, {}, red);
  const { filter, started_by: startedBy } = await ended(kernel, own);
  expect({ filter, startedBy }).toMatchObject({ filter: { projects: ["red"] }, startedBy: "red" });
  expect(sequences(kernel, own)).toEqual(await queried(kernel, { project: "red" }));
  const listed = await send(kernel, "GET", "/api/events/replay", undefined, red);
  expect(listed.body.items.map(({ id }: Json) => id)).toEqual([own]);
  for (const [method, path] of [["GET", ""], ["DELETE", ""], ["GET", "/sse"]] as const) {
    const { status, body } = await send(kernel, method, `/api/events/replay/${all}${path}`, undefined, red);
    expect({ method, path, status, code: body.code }).toMatchObject({
      status: 404,
      code: "replay_not_found",
    });
  }
  const outside = await begin(kernel, { project: "blue" }, red);
  expect(await ended(kernel, outside)).toMatchObject({ state: "completed", replayed: 0 });
});

testOnEveryLog("an event whose longer subject the bus cannot take is skipped and counted", async (place) => {
  const long = `hub.a.demo.${"x".repeat(240)}`;
  const drafts = ["hub.a.demo.made", long, "hub.a.demo.made"].map((subject) => eventDraft(subject));
  await using kernel = await startSeededKernel(place, { drafts });
  const id = await begin(kernel, {});
  expect(await ended(kernel, id)).toMatchObject({ state: "completed", replayed: 2, skipped: 1, position: 3 });
  expect(sequences(kernel, id)).toEqual([1, 3]);
});

testOnEveryLog(
  "a replay can be followed over SSE to its end, and taken up again in the middle",
  async (place) => {
    const drafts = Array.from(
      { length: 500 },
      (_, n) => eventDraft("hub.a.demo.made", { time: new Date(start + n).toISOString() }),
    );
    await using kernel = await startSeededKernel(place, { drafts });
    const id = await begin(kernel, { speed: 1, after_seq: 100 });
    const text = await (await kernel.fetch(`/api/events/replay/${id}/sse`)).text();
    const seqs = [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
    expect(seqs).toEqual(Array.from({ length: 400 }, (_, n) => n + 101));
    const end = JSON.parse(/event: end\ndata: (.+)\n\n$/.exec(text)![1]!);
    expect(end).toMatchObject({ id, state: "completed", replayed: 400 });
    const again = await kernel.fetch(`/api/events/replay/${id}/sse`, { headers: { "last-event-id": "498" } });
    expect([...(await again.text()).matchAll(/^id: (\d+)$/gm)].map((match) => match[1])).toEqual([
      "499",
      "500",
    ]);
  },
);

testOnEveryLog(
  "a fast replay leaves the loop to others, and loses nothing to a subscriber here",
  async (place) => {
    await using kernel = await startSeededKernel(place, { drafts: manyDrafts(20_000) });
    let turns = 0;
    let answers = 0;
    const timer = setInterval(() => turns++, 1);
    const id = await begin(kernel, {});
    let isOver = false;
    const end = ended(kernel, id).finally(() => isOver = true);
    while (!isOver) {
      await (await kernel.fetch("/health/live")).text();
      answers++;
    }
    await end;
    clearInterval(timer);
    expect(sequences(kernel, id)).toEqual(Array.from({ length: 20_000 }, (_, n) => n + 1));
    expect(turns).toBeGreaterThan(50); // of a hundred batches
    expect(answers).toBeGreaterThan(15);
  },
);

Deno.test("what cannot be asked for is refused", async () => {
  const dataDir = await Deno.makeTempDir();
  await using kernel = await startSeededKernel({ storageUrl: "sqlite:", dataDir });
  const wrong = [
    { speed: -1 },
    { speed: 0.0001 },
    { speed: "fast" },
    { max_gap: 5 },
    { until_seq: -1 },
    {
      after_seq: "x",
    },
    { subject: "a b" },
    { ending: 1 },
  ];
  for (const body of wrong) {
    const answer = await send(kernel, "POST", "/api/events/replay", body);
    expect({ body, status: answer.status }).toEqual({ body, status: 422 });
  }
  expect((await send(kernel, "GET", "/api/events/replay/none")).status).toBe(404);
  expect((await send(kernel, "DELETE", "/api/events/replay/none")).status).toBe(404);
  await Deno.remove(dataDir, { recursive: true });
});
