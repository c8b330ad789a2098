import type { Draft } from "../../plugins/event-store/log/draft.ts";

/** An event ready for the store, with everything but its subject made up; `changes` go into its envelope. */
export function eventDraft(subject: string, changes: Partial<Draft["envelope"]> = {}): Draft {
  const envelope = {
    id: crypto.randomUUID(),
    subject,
    type: subject.split(".").slice(2).join("."),
    origin: { nodeId: "a", service: "api", user: null },
    project: null,
    correlationId: "c1",
    causationId: null,
    traceparent: null,
    time: "2026-01-01T00:00:00.000Z",
    data: {},
    ...changes,
  };
  return { envelope, payload: JSON.stringify(envelope.data), idGiven: false, correlationGiven: false };
}
