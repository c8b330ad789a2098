import type { Agent } from "./run_agent.ts";
import { waitFor, within } from "./wait_for.ts";

/** How the publishers of a test are to go about it. */
export interface PublisherOptions {
  /** How many publish at the same time; 16 unless given. */
  readonly publishers?: number;
  /** How long an agent may take to answer, or to refuse. */
  readonly answerWithinMs?: number;
}

/** An event as the agent acknowledged it. */
export interface Acknowledged {
  readonly id: string;
  readonly seq: number;
  readonly duplicate: boolean;
}

/** Publishers that go on, whatever happens to the agent: each event is sent, with its own id, until it is acknowledged. */
export interface Publishers extends AsyncDisposable {
  readonly acknowledged: readonly Acknowledged[];
  /** Answers that were no acknowledgement, as `503 storage_unavailable`, with how often they came; broken connections count as `connection`. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Resolves when `count` more events than now are acknowledged. */
  progress(count: number): Promise<void>;
  /** Begins no new event; resolves when those in hand are acknowledged. */
  finish(): Promise<void>;
}

const retryMs = 20;

/** Starts publishing `fault.tried` events; stops with `finish`, or at once when disposed. */
export function publishEvents(
  agent: Agent,
  { publishers = 16, answerWithinMs = 10_000 }: PublisherOptions = {},
): Publishers {
  const acknowledged: Acknowledged[] = [];
  const refusals = new Map<string, number>();
  const headers = { authorization: `Bearer ${agent.adminKey}`, "content-type": "application/json" };
  const run = crypto.randomUUID().slice(0, 8);
  let finishing = false;
  const cut = new AbortController();

  const attempt = async (id: string, payload: object): Promise<string | undefined> => {
    let answer: Response;
    try {
      answer = await fetch(`${agent.url}/api/events`, {
        method: "POST",
        headers,
        body: JSON.stringify({ subject: "fault.tried", id, payload }),
        signal: cut.signal,
      });
      const { seq, duplicate = false, code } = await answer.json();
      if (answer.status !== 200 && answer.status !== 201) return `${answer.status} ${code}`;
      acknowledged.push({ id, seq, duplicate });
      return undefined;
    } catch {
      return "connection"; // refused, reset, or cut in the middle of an answer
    }
  };
  const publish = async (publisher: number) => {
    for (let n = 0; !finishing && !cut.signal.aborted; n++) {
      const id = `${run}-${publisher}-${n}`;
      while (!cut.signal.aborted) {
        const answered = attempt(id, { publisher, n });
        const refusal = await within(answered, { what: `an answer to ${id}`, timeoutMs: answerWithinMs });
        if (refusal === undefined) break;
        refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  };
  const all = Promise.all(Array.from({ length: publishers }, (_, publisher) => publish(publisher)));
  all.catch(() => cut.abort()); // told by whoever waits next
  const unlessFailed = async (work: Promise<unknown>) => {
    await Promise.race([work, all.then(() => work)]);
  };
  return {
    acknowledged,
    refusals,
    progress: (count) => {
      const goal = acknowledged.length + count;
      return unlessFailed(
        waitFor(() => acknowledged.length >= goal, { what: `${count} events`, timeoutMs: 30_000 }),
      );
    },
    finish: async () => {
      finishing = true;
      await within(all, { what: "the last events to be acknowledged", timeoutMs: 30_000 });
    },
    [Symbol.asyncDispose]: async () => {
      cut.abort();
      await all.catch(() => {}); // a failure was told by progress() or finish()
    },
  };
}
