import { expect } from "expect";
import { HostQueue, type ReleaseSlot } from "./host_queue.ts";

const signal = new AbortController().signal;
const patient = { signal, patienceMs: 60_000 };

function openQueue(
  { concurrency = 100, perHost = {} }: {
    concurrency?: number;
    perHost?: Partial<{ concurrency: number; delay: number; waiting: number }>;
  } = {},
): HostQueue & Disposable {
  const queue = new HostQueue({
    concurrency,
    perHost: { concurrency: 2, delay: 0, waiting: 10, ...perHost },
    monotonic: () => performance.now(),
  });
  return Object.assign(queue, { [Symbol.dispose]: () => queue.close() });
}

/** Asks for slots, and notes who got one. */
function line(queue: HostQueue) {
  const started: string[] = [];
  const held = new Map<string, ReleaseSlot>();
  const ask = (name: string, host: string, options = {}) =>
    queue.acquire(host, { ...patient, ...options }).then((release) => {
      started.push(name);
      held.set(name, release);
    });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
  return { started, ask, settle, end: (name: string) => (held.get(name)!(), settle()) };
}

Deno.test("so many at once to one host, in the order in which they came; other hosts do not wait", async () => {
  using queue = openQueue();
  const { started, ask, settle, end } = line(queue);
  const asked = ["a1", "a2", "a3", "a4", "b1"].map((name) => ask(name, name[0]!));
  await settle();
  expect(started).toEqual(["a1", "a2", "b1"]);
  await end("a2");
  await end("a2"); // giving back twice frees nothing
  expect(started).toEqual(["a1", "a2", "b1", "a3"]);
  await end("a1");
  await Promise.all(asked);
  expect(started.at(-1)).toBe("a4");
});

Deno.test("so many at once to all hosts, and a long line for one does not hold up the others", async () => {
  using queue = openQueue({ concurrency: 2 });
  const { started, ask, settle, end } = line(queue);
  const asked = ["a1", "a2", "a3", "a4", "b1", "c1"].map((name) => ask(name, name[0]!));
  await settle();
  expect(started).toEqual(["a1", "a2"]);
  await end("a1");
  await end("a2");
  expect(new Set(started.slice(2))).not.toEqual(new Set(["a3", "a4"]));
  for (let next = 2; next < 6; next++) await end(started[next]!);
  await Promise.all(asked);
  expect(started.toSorted()).toEqual(["a1", "a2", "a3", "a4", "b1", "c1"]);
});

Deno.test("a call may ask for more distance, never for less", async () => {
  using queue = openQueue();
  const { started, ask, settle, end } = line(queue);
  const one = { spacing: { concurrency: 1 } };
  const many = { spacing: { concurrency: 99, delayMs: -5 } };
  const asked = [ask("a1", "a", one), ask("a2", "a", one), ask("b1", "b", many)];
  asked.push(ask("b2", "b", many), ask("b3", "b", many));
  await settle();
  expect(started).toEqual(["a1", "b1", "b2"]);
  await end("a1");
  await end("b1");
  await Promise.all(asked);
});

Deno.test("starts to one host keep their distance in time", async () => {
  using queue = openQueue({ perHost: { delay: 40 } });
  const times: number[] = [];
  const started = performance.now();
  await Promise.all([1, 2, 3].map(() =>
    queue.acquire("a", patient).then((release) => {
      times.push(performance.now() - started);
      release();
    })
  ));
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(38);
  expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(38);
});

Deno.test("a pause holds for who comes and who waits, and sends the impatient away", async () => {
  using queue = openQueue({ perHost: { concurrency: 1 } });
  const release = await queue.acquire("a", patient);
  const hasty = queue.acquire("a", { signal, patienceMs: 10 });
  const calm = queue.acquire("a", patient);
  const started = performance.now();
  queue.pause("a", 60);
  await expect(hasty).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 60 });
  await expect(queue.acquire("a", { signal, patienceMs: 10 })).rejects.toMatchObject({
    code: "rate_limited",
  });
  (await queue.acquire("b", { signal, patienceMs: 0 }))();
  release();
  (await calm)();
  expect(performance.now() - started).toBeGreaterThanOrEqual(58);
  queue.pause("a", 0);
  (await queue.acquire("a", { signal, patienceMs: 0 }))();
});

Deno.test("all who may start when a pause ends do so at once", async () => {
  using queue = openQueue();
  queue.pause("a", 20);
  queue.pause("b", 20);
  const started = ["a", "a", "b", "b"].map((host) => queue.acquire(host, patient)); // nobody gives back
  expect(await Promise.all(started)).toHaveLength(4);
});

Deno.test("a full line refuses, an aborted call leaves it", async () => {
  using queue = openQueue({ perHost: { concurrency: 1, waiting: 2 } });
  const release = await queue.acquire("a", patient);
  const leaving = new AbortController();
  const first = queue.acquire("a", { ...patient, signal: leaving.signal });
  const second = queue.acquire("a", patient);
  await expect(queue.acquire("a", patient)).rejects.toMatchObject({ code: "busy" });
  leaving.abort(new Error("no longer"));
  await expect(first).rejects.toThrow("no longer");
  await expect(queue.acquire("a", { ...patient, signal: leaving.signal })).rejects.toThrow("no longer");
  release();
  (await second)();
});

Deno.test("ten thousand waiting calls to a thousand hosts are served, in time that does not explode", async () => {
  using queue = openQueue({ concurrency: 50, perHost: { concurrency: 1 } });
  let served = 0;
  const started = performance.now();
  const calls = Array.from({ length: 10_000 }, async (_, number) => {
    const release = await queue.acquire(`host ${number % 1000}`, patient);
    await Promise.resolve();
    served++;
    release();
  });
  await Promise.all(calls);
  expect(served).toBe(10_000);
  expect(performance.now() - started).toBeLessThan(5000);
});
