import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HttpEnv } from "../../../core/http/env.ts";
import type { LiveStreams } from "../stream/live_streams.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import { sseFrame, sseHead, sseResponse } from "../../../core/http/send_sse.ts";
import { sseFrames } from "../stream/event_frames.ts";
import { replayFeed } from "./replay_feed.ts";
import { replayJson } from "./replay_json.ts";
import { knownReplay } from "./replay_routes.ts";
import type { Replays } from "./replays.ts";

const streamRoute = createRoute({
  method: "get",
  path: "/api/events/replay/{id}/sse",
  summary: "Follow a replay as server-sent events",
  description:
    "The events of the replay as they are republished, from its beginning or behind `after_seq`; then " +
    "`event: end` with the replay as data. `id:` is the sequence, which a browser sends as `Last-Event-ID`.",
  security: [{ key: ["read"] }, { ticket: [] }] as Record<string, string[]>[],
  request: {
    params: z.object({ id: z.string().min(1).max(128) }),
    query: z.strictObject({
      after_seq: z.coerce.number().pipe(z.int().min(0)).optional().openapi({
        type: "integer",
        description: "Only events behind this sequence",
      }),
      ticket: z.string().optional().openapi({
        description: "One-time ticket instead of a key, for browsers",
      }),
    }),
    headers: z.object({ "last-event-id": z.string().regex(/^\d{1,16}$/).optional() }),
  },
  responses: {
    200: { description: "The stream", content: { "text/event-stream": { schema: z.string() } } },
    404: { description: "No such replay" },
    503: { description: "Too many streams are open" },
  },
});

/** `GET /api/events/replay/{id}/sse`. */
export function addReplayStreamRoute(
  http: OpenAPIHono<HttpEnv>,
  { streams, ...parts }: {
    replays: Replays;
    store: EventStore;
    subjects: SubjectCatalog;
    streams: LiveStreams;
  },
): void {
  const { replays } = parts;
  http.openapi(streamRoute, async (c) => {
    const asked = { id: c.req.valid("param").id, principal: c.env.principal };
    const replay = await knownReplay(replays, asked);
    if (c.req.method === "HEAD") return sseHead(c);
    const lastEventId = c.req.valid("header")["last-event-id"];
    const afterSeq = lastEventId === undefined ? c.req.valid("query").after_seq : Number(lastEventId);
    const stream = await streams.open({
      filter: replay.filter,
      afterSeq: undefined,
      stillAllowed: () => c.env.stillAllowed(),
      feed: (signal) => replayFeed(replay, { ...parts, afterSeq, signal }),
    });
    return sseResponse(stream, {
      keepaliveMs: streams.keepaliveMs,
      correlationId: c.env.correlationId,
      frames: sseFrames,
      endFrame: async () => sseFrame("end", replayJson(await knownReplay(replays, asked))),
    });
  });
}
