import { createParser } from "eventsource-parser";
import type { Agent } from "./run_agent.ts";
import { waitFor } from "./wait_for.ts";

/** One open connection to the agent's live stream. */
export interface Follower extends AsyncDisposable {
  /** Sequences in the order in which they came. */
  readonly sequences: readonly number[];
  /** What the agent said in an `error` event, if it did. */
  readonly problems: readonly string[];
  /** Whether the connection has ended, by whichever side. */
  readonly ended: boolean;
  /** Resolves once this sequence has come; rejects after 15 s. */
  reach(seq: number): Promise<void>;
}

/** Follows `/api/events/sse` from the beginning, without ever connecting again. */
export async function followEvents(agent: Agent): Promise<Follower> {
  const sequences: number[] = [];
  const problems: string[] = [];
  let ended = false;
  const cut = new AbortController();
  const answer = await agent.fetch("/api/events/sse?after_seq=0", { signal: cut.signal });
  if (!answer.ok || !answer.body) throw new Error(`Cannot follow "events": ${answer.status}`);
  const parser = createParser({
    onEvent: ({ id, event, data }) => event === "error" ? problems.push(data) : sequences.push(Number(id)),
  });
  const reading = (async () => {
    for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) parser.feed(text);
  })().catch((error) => {
    if (!cut.signal.aborted) problems.push(String(error));
  }).finally(() => ended = true);
  return {
    sequences,
    problems,
    get ended() {
      return ended;
    },
    reach: async (seq) => {
      await waitFor(() => sequences.at(-1)! >= seq, {
        what: `sequence ${seq} to be streamed`,
        timeoutMs: 15_000,
      });
    },
    [Symbol.asyncDispose]: async () => {
      cut.abort();
      await reading;
    },
  };
}
