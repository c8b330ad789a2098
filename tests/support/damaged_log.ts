import { join } from "node:path";
import eventStore from "../../plugins/event-store/plugin.ts";
import { EventStore } from "../../plugins/event-store/store.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import { eventDraft } from "./event_draft.ts";
import { withStorage } from "./every_storage.ts";
import { startTestKernel, type TestKernel } from "./test_kernel.ts";

/** An event as the API serves it: its sequence, id and subject, and the whole as JSON text. */
export interface ServedEvent {
  readonly seq: number;
  readonly id: string;
  readonly subject: string;
  readonly text: string;
}

/** What a reader got, and the problems it was told of. */
export interface Reading {
  readonly events: readonly ServedEvent[];
  /** Codes, such as `event_damaged`. */
  readonly problems: readonly string[];
}

/** Where a reader that meets nothing but problems gives up. */
const maxProblems = 400;

/** Puts a log of `count` events into a new data folder, as an agent that was stopped leaves it. */
export async function writeLog(dataDir: string, count: number): Promise<void> {
  await withStorage("sqlite:", {
    dataDir,
    run: async (storage) => {
      await storage.migrate("event-store", migrations);
      const store = new EventStore(storage);
      for (let start = 0; start < count; start += 100) {
        const drafts = Array.from({ length: Math.min(100, count - start) }, (_, index) => {
          const seq = start + index + 1;
          return eventDraft(`hub.a.demo.n${seq % 20}`, {
            correlationId: `c${seq % 100}`,
            causationId: seq % 10 === 0 ? `cause-${seq}` : null,
            data: { seq, text: "abcdefgh".repeat(seq % 500 === 0 ? 2000 : seq % 40) },
          });
        });
        await store.append(drafts, Date.now());
      }
    },
  });
  await using _kernel = await startAgainst(dataDir);
}

/** An agent on that data folder, inside this process. */
export function startAgainst(dataDir: string): Promise<TestKernel> {
  return startTestKernel({
    plugins: [eventStore],
    settings: { "event-store": { stream: { keepalive: "1s" } } },
    dataDir,
  });
}

/** A copy of a data folder, without what belongs to a running agent. */
export async function copyLog(from: string): Promise<string> {
  const to = await Deno.makeTempDir();
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (isFile && !name.startsWith("lock")) await Deno.copyFile(join(from, name), join(to, name));
  }
  return to;
}

/** Everything that a list has to give, going on behind whatever is damaged. */
export async function readList(kernel: TestKernel, query = ""): Promise<Reading> {
  const events: ServedEvent[] = [];
  const problems: string[] = [];
  let afterSeq = 0;
  while (problems.length < maxProblems) {
    const answer = await kernel.fetch(`/api/events?limit=1000&after_seq=${afterSeq}${query}`);
    const page = await answer.json();
    if (answer.status === 200) {
      const items = page.items.map(served);
      events.push(...items);
      if (page.next === null) break;
      afterSeq = items.at(-1)?.seq ?? afterSeq + 1;
      continue;
    }
    problems.push(page.code);
    afterSeq = page.seq ?? afterSeq + 1;
  }
  return { events, problems };
}

/** What a stream brings from the beginning up to the sequence `to`, or until it is idle, or ends with a problem. */
export async function readStream(kernel: TestKernel, to: number): Promise<Reading> {
  const events: ServedEvent[] = [];
  const problems: string[] = [];
  const answer = await kernel.fetch("/api/events/sse?after_seq=0");
  if (answer.status !== 200) return { events, problems: [(await answer.json()).code] };
  let text = "";
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    const frames = (text + chunk).split("\n\n");
    text = frames.pop()!;
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined && frame.startsWith("event: error")) problems.push(JSON.parse(data).code);
      else if (data !== undefined) events.push(served(JSON.parse(data)));
    }
    const isIdle = frames.some((frame) => frame.includes(": keepalive"));
    if (isIdle || (events.at(-1)?.seq ?? 0) >= to) break; // which closes the connection
  }
  return { events, problems };
}

/** The result of a verification, or the problem in place of it. */
export async function verify(kernel: TestKernel, query = ""): Promise<Record<string, unknown>> {
  const answer = await kernel.fetch(`/api/events/verify${query}`);
  const text = await answer.text();
  const frame = text.split("\n\n").find((each) => /^event: (result|error)/.test(each));
  return JSON.parse(frame === undefined ? text : /^data: (.*)$/m.exec(frame)![1]!);
}

function served(event: Omit<ServedEvent, "text">): ServedEvent {
  const { seq, id, subject } = event;
  return { seq, id, subject, text: JSON.stringify(event) };
}
