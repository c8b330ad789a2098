import { z } from "@hono/zod-openapi";
import { replaySubject } from "./republish.ts";
import type { Replay } from "./replay_store.ts";

/** A replay as the API shows it. */
export const replayItem = z.object({
  id: z.string(),
  state: z.enum(["running", "completed", "cancelled", "failed"]),
  subject: z.string().describe("Pattern that all of it is published under"),
  node_id: z.string().describe("The agent that runs it"),
  filter: z.object({
    subject: z.string().optional(),
    type: z.string().optional(),
    since: z.string().optional(),
    until: z.string().optional(),
    correlation_id: z.string().optional(),
    project: z.string().optional(),
    origin: z.string().optional(),
    after_seq: z.int().optional(),
    projects: z.array(z.string()).optional().describe("What the key that asked for it is limited to"),
  }),
  speed: z.number(),
  max_gap_ms: z.int().nullable(),
  replayed: z.int().describe("Events published so far"),
  skipped: z.int().describe("Events that the bus cannot take: too large, or their longer subject too long"),
  position: z.int().describe("Everything up to this sequence is done"),
  of: z.int().describe("The last sequence: where the log ended when it began, or `until_seq`"),
  started_by: z.string().nullable().describe("Name of the key that was used"),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  error: z.string().nullable().describe("Why it failed, or what it waits for"),
}).openapi("Replay");

/** The JSON of a replay. */
export function replayJson(replay: Replay): z.output<typeof replayItem> {
  const { subject, type, since, until, correlationId, project, origin, projects } = replay.filter;
  return {
    id: replay.id,
    state: replay.state,
    subject: replaySubject(replay.id, ">"),
    node_id: replay.nodeId,
    filter: {
      subject,
      type,
      since,
      until,
      correlation_id: correlationId,
      project,
      origin,
      after_seq: replay.afterSeq,
      ...(projects === undefined ? {} : { projects: [...projects] }),
    },
    speed: replay.speed,
    max_gap_ms: replay.maxGapMs,
    replayed: replay.replayed,
    skipped: replay.skipped,
    position: replay.position,
    of: replay.lastSeq,
    started_by: replay.startedBy,
    started_at: replay.startedAt,
    ended_at: replay.endedAt,
    error: replay.error,
  };
}
