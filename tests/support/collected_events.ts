import { waitFor } from "./wait_for.ts";

/** What the tests look at of an event that came from another host. */
export interface CollectedEvent {
  readonly id: string;
  readonly seq: number;
  readonly subject: string;
  readonly type: string;
  readonly origin: { readonly node_id: string; readonly service: string; readonly user: string | null };
  readonly project: string | null;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly timestamp: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Whatever answers requests for `/api/…` with the admin key. */
export interface Asked {
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** The events of one origin in an agent's log, or all of them, in its order. */
export async function collectedEvents(agent: Asked, origin?: string): Promise<CollectedEvent[]> {
  const events: CollectedEvent[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const query = `limit=1000${origin === undefined ? "" : `&origin=${origin}`}${
      cursor && `&cursor=${cursor}`
    }`;
    const answer = await agent.fetch(`/api/events?${query}`);
    if (!answer.ok) throw new Error(`Cannot list "events": ${answer.status} ${await answer.text()}`);
    const page: { items: CollectedEvent[]; next: string | null } = await answer.json();
    events.push(...page.items);
    cursor = page.next;
  }
  return events;
}

/** Resolves with the events of that origin once there are so many. */
export function untilCollected(
  agent: Asked,
  { origin, count, timeoutMs = 20_000 }: {
    readonly origin: string;
    readonly count: number;
    readonly timeoutMs?: number;
  },
): Promise<CollectedEvent[]> {
  return waitFor(async () => {
    const events = await collectedEvents(agent, origin);
    return events.length >= count && events;
  }, { what: `${count} events of ${origin}`, timeoutMs, pollMs: 25 });
}

/** Publishes one event over HTTP; rejects unless it is stored. */
export async function publishTo(agent: Asked, event: Readonly<Record<string, unknown>>): Promise<void> {
  const answer = await agent.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(event),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Cannot publish: ${answer.status} ${text}`);
}
