import { expect } from "expect";
import { type Clock, systemClock } from "../../core/clock.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { startTestKernel, type TestKernel } from "../support/test_kernel.ts";

const hourMs = 3_600_000;

interface Item {
  readonly seq: number;
  readonly id: string;
  readonly timestamp: string;
  readonly payload: { readonly n: number };
}

async function publish(kernel: TestKernel, numbers: readonly number[]): Promise<void> {
  for (const n of numbers) {
    const answer = await kernel.fetch("/api/events", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ subject: "clock.read", payload: { n } }),
    });
    expect(answer.status).toBe(201);
    await answer.body?.cancel();
  }
}

async function page(kernel: TestKernel, query: string): Promise<{ items: Item[]; next: string | null }> {
  const answer = await kernel.fetch(`/api/events?${query}`);
  expect(answer.status).toBe(200);
  return await answer.json();
}

/** All events, in pages of three. */
async function paged(kernel: TestKernel, query: string): Promise<number[]> {
  const numbers: number[] = [];
  for (let cursor = "";;) {
    const { items, next } = await page(kernel, `limit=3&${query}${cursor && `&cursor=${cursor}`}`);
    numbers.push(...items.map(({ payload }) => payload.n));
    if (next === null) return numbers;
    cursor = next;
  }
}

/** The numbers that a stream sends behind `afterSeq`, until there are `count` of them. */
async function streamed(kernel: TestKernel, afterSeq: number, count: number): Promise<number[]> {
  const answer = await kernel.fetch(`/api/events/sse?after_seq=${afterSeq}`);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while ((text.match(/^data: /gm) ?? []).length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader.cancel();
  return [...text.matchAll(/"payload":{"n":(\d+)}/g)].map((match) => Number(match[1]));
}

Deno.test("a clock that steps back an hour changes neither the order nor any cursor", async () => {
  let offsetMs = 0;
  const clock: Clock = { now: () => Date.now() + offsetMs, monotonic: systemClock.monotonic };
  const dataDir = await Deno.makeTempDir();
  const start = () => startTestKernel({ plugins: [eventStore], dataDir, clock });
  try {
    {
      await using kernel = await start();
      await publish(kernel, [1, 2, 3, 4]);
      const begun = await page(kernel, "limit=3");
      offsetMs = -hourMs;
      await publish(kernel, [5, 6, 7]);
      const rest = await page(kernel, `limit=100&cursor=${begun.next}`);
      expect(rest.items.map(({ payload }) => payload.n)).toEqual([4, 5, 6, 7]); // a cursor from before goes on
      expect(await streamed(kernel, 2, 5)).toEqual([3, 4, 5, 6, 7]);
    }
    await using kernel = await start(); // with the clock still behind the log
    await publish(kernel, [8, 9]);
    const { items } = await page(kernel, "limit=100");
    expect(items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(items.map(({ payload }) => payload.n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(items.map(({ id }) => id)).size).toBe(9);
    expect(await paged(kernel, "order=asc")).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await paged(kernel, "order=desc")).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(await streamed(kernel, 0, 9)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Each event tells the time that its host had, and is found by it.
    const stepped = items.filter(({ timestamp }) => timestamp < items[0]!.timestamp);
    expect(stepped.map(({ payload }) => payload.n)).toEqual([5, 6, 7, 8, 9]);
    expect(await paged(kernel, `until=${stepped.at(-1)!.timestamp}`)).toEqual([5, 6, 7, 8, 9]);
    expect(await paged(kernel, `since=${items[0]!.timestamp}`)).toEqual([1, 2, 3, 4]);
    expect(await paged(kernel, `since=${stepped[0]!.timestamp}`)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
