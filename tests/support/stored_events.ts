import { expect } from "expect";
import type { Acknowledged } from "./publish_events.ts";
import type { Agent } from "./run_agent.ts";

/** What the tests look at of a stored event. */
export interface StoredEvent {
  readonly id: string;
  readonly seq: number;
  readonly origin: { readonly node_id: string };
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The whole log, page by page. */
export async function storedEvents(agent: Agent): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const answer = await agent.fetch(`/api/events?limit=1000${cursor && `&cursor=${cursor}`}`);
    expect(answer.status).toBe(200);
    const page: { items: StoredEvent[]; next: string | null } = await answer.json();
    events.push(...page.items);
    cursor = page.next;
  }
  return events;
}

/** Fails unless the log holds every acknowledged event once, where it was said to be, and has no gap. */
export function expectKept(events: readonly StoredEvent[], acknowledged: readonly Acknowledged[]): void {
  expectGapless(events.map(({ seq }) => seq));
  const bySeq = new Map(events.map((event) => [event.seq, event.id]));
  expect(bySeq.size).toBe(events.length);
  expect(new Set(bySeq.values()).size).toBe(events.length);
  const lost = acknowledged.filter(({ id, seq }) => bySeq.get(seq) !== id);
  expect(lost).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(0);
}

/** Fails unless the sequences are exactly 1, 2, 3 …; names the first place where they are not. */
export function expectGapless(sequences: readonly number[]): void {
  const at = sequences.findIndex((seq, index) => seq !== index + 1);
  if (at !== -1) expect({ at, around: sequences.slice(Math.max(0, at - 3), at + 4) }).toEqual("1, 2, 3 …");
}
