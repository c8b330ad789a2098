import { expect } from "expect";
import fc from "fast-check";
import { join } from "node:path";
import {
  copyLog,
  readList,
  readStream,
  startAgainst,
  verify,
  writeLog,
} from "../../../tests/support/damaged_log.ts";
import type { Reading, ServedEvent } from "../../../tests/support/damaged_log.ts";
import type { TestKernel } from "../../../tests/support/test_kernel.ts";

const events = 3000;
/** More of them with COMMANDCENTER_FLIPS, at other places with COMMANDCENTER_SEED. */
const flips = Number(Deno.env.get("COMMANDCENTER_FLIPS") ?? 25);
const seed = Number(Deno.env.get("COMMANDCENTER_SEED") ?? Date.now() % 2 ** 31);
/** What a reader may be told instead of an event; anything else is a fault of ours. */
const honest = ["event_damaged", "storage_damaged", "event_not_found"];

interface Original {
  readonly dataDir: string;
  readonly bySeq: ReadonlyMap<number, ServedEvent>;
}

async function writeOriginal(): Promise<Original & AsyncDisposable> {
  const dataDir = await Deno.makeTempDir();
  await writeLog(dataDir, events);
  await using kernel = await startAgainst(dataDir);
  const all = (await readList(kernel)).events;
  expect(all).toHaveLength(events);
  return {
    dataDir,
    bySeq: new Map(all.map((event) => [event.seq, event])),
    [Symbol.asyncDispose]: () => Deno.remove(dataDir, { recursive: true }),
  };
}

/** Fails on whatever is not exactly what was stored; returns whether all `count` events are there. */
function isComplete(
  { events, problems }: Reading,
  { original, way, count }: { original: Original; way: string; count: number },
): boolean {
  for (const event of events) {
    expect({ way, text: event.text }).toEqual({ way, text: original.bySeq.get(event.seq)?.text });
  }
  expect({ way, problems: problems.filter((code) => !honest.includes(code)) }).toEqual({ way, problems: [] });
  const seqs = events.map(({ seq }) => seq);
  expect({ way, seqs }).toEqual({ way, seqs: [...new Set(seqs)].toSorted((a, b) => a - b) });
  return seqs.length === count;
}

async function readById(kernel: TestKernel, asked: readonly ServedEvent[]): Promise<Reading> {
  const events: ServedEvent[] = [];
  const problems: string[] = [];
  for (const { id } of asked) {
    const answer = await kernel.fetch(`/api/events/${id}`);
    const body = await answer.json();
    if (answer.status === 200) events.push({ ...body, text: JSON.stringify(body) });
    else problems.push(body.code);
  }
  return { events, problems };
}

/** What became of an agent on a damaged file, in a word. */
async function outcomeOf(dataDir: string, original: Original, aroundSeq: number): Promise<string> {
  let kernel: TestKernel;
  try {
    kernel = await startAgainst(dataDir);
  } catch (error) {
    expect(String(error)).toMatch(/ConfigurationError: Cannot [^]*(backup|newer version)/);
    return "refused";
  }
  await using _stop = kernel;
  const near = [...original.bySeq.values()].filter(({ seq }) => Math.abs(seq - aroundSeq) < 10);
  const readings: readonly [string, number, Reading][] = [
    ["list", events, await readList(kernel)],
    ["stream", events, await readStream(kernel, events)],
    ["by id", near.length, await readById(kernel, near)],
    ["by subject", events / 20, await readList(kernel, "&subject=hub.a.demo.n7")],
    ["by correlation", events / 100, await readList(kernel, "&correlation_id=c7")],
  ];
  const incomplete = readings.filter(([way, count, reading]) =>
    !isComplete(reading, { original, way, count })
  );
  const verification = await verify(kernel);
  const health = await (await kernel.fetch("/health")).json();
  if (verification.ok === true) {
    expect(incomplete.map(([way]) => way)).toEqual([]);
    return health.status === "healthy" ? "unharmed" : "told";
  }
  expect(health.status).not.toBe("healthy");
  return health.status === "unhealthy" ? "down" : "degraded";
}

Deno.test("a flipped byte in the database is told of, and never served as truth", async () => {
  await using original = await writeOriginal();
  const { size } = await Deno.stat(join(original.dataDir, "commandcenter.db"));
  // Anywhere, and now and then near the beginning, where everything hangs on every byte.
  const position = fc.oneof({ weight: 9, arbitrary: fc.noBias(fc.nat(size - 1)) }, fc.nat(4095));
  const places = fc.sample(fc.tuple(position, fc.integer({ min: 1, max: 255 })), { numRuns: flips, seed });
  const outcomes: string[] = [];
  for (const [place, mask] of places) {
    const dataDir = await copyLog(original.dataDir);
    try {
      await flip(join(dataDir, "commandcenter.db"), place, mask);
      outcomes.push(await outcomeOf(dataDir, original, Math.round(place / size * events)));
    } catch (cause) {
      throw new Error(`Byte ${place} of ${size} with mask ${mask}; COMMANDCENTER_SEED=${seed}`, { cause });
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  }
  // Most bytes are an event's: a run without one would have tried nothing.
  expect({ seed, outcomes }).toMatchObject({ outcomes: expect.arrayContaining(["degraded"]) });
});

async function flip(path: string, position: number, mask: number): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  await file.seek(position, Deno.SeekMode.Start);
  await file.read(byte);
  await file.seek(position, Deno.SeekMode.Start);
  await file.write(new Uint8Array([byte[0]! ^ mask]));
}
