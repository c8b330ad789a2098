import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HttpEnv } from "../../../core/http/env.ts";
import { upgradeWebSocket } from "../../../core/http/serve.ts";
import type { Tickets } from "../../../core/http/tickets.ts";
import { filterQuery, toFilter } from "../search/filter_query.ts";
import type { LiveStreams } from "./live_streams.ts";
import { batchFrames, eventFrame, sseFrames } from "./event_frames.ts";
import { sseHead, sseResponse } from "../../../core/http/send_sse.ts";
import { websocketHandlers } from "../../../core/http/send_socket.ts";

const streamQuery = filterQuery.omit({ until: true }).extend({
  ticket: z.string().optional().openapi({ description: "One-time ticket instead of a key, for browsers" }),
});

const readOrTicket: Record<string, string[]>[] = [{ key: ["read"] }, { ticket: [] }];

const sseRoute = createRoute({
  method: "get",
  path: "/api/events/sse",
  summary: "Follow events as server-sent events",
  description:
    "History behind `after_seq` (or since `since`), then live, without gap or repetition. `id:` is the " +
    "sequence; a browser that connects again sends it as `Last-Event-ID`.",
  security: readOrTicket,
  request: {
    query: streamQuery,
    headers: z.object({ "last-event-id": z.string().regex(/^\d{1,16}$/).optional() }),
  },
  responses: {
    200: { description: "The stream", content: { "text/event-stream": { schema: z.string() } } },
    409: { description: "`after_seq` lies beyond the end of this log" },
    503: { description: "Too many streams are open" },
  },
});

const websocketRoute = createRoute({
  method: "get",
  path: "/api/events/stream",
  summary: "Follow events over a WebSocket",
  description:
    "One JSON text per event (or, with `batch=true`, per array of events), the same order and seam as over SSE. Before it closes by itself it sends " +
    "`{error: problem}`; 4429 = the reader was too slow, 4401 = its key ended, 1001 = the agent is stopping.",
  security: readOrTicket,
  request: {
    query: streamQuery.extend({
      batch: z.enum(["true", "false"]).default("false").openapi({
        description: "`true`: each message is an array of events, as many as there are at the moment",
      }),
    }),
  },
  responses: {
    101: { description: "Switching to WebSocket" },
    426: { description: "This route speaks WebSocket only" },
    409: { description: "`after_seq` lies beyond the end of this log" },
    503: { description: "Too many streams are open" },
  },
});

const ticketRoute = createRoute({
  method: "post",
  path: "/api/events/tickets",
  summary: "A one-time ticket for a stream, for browsers, which cannot set headers on it",
  security: [{ key: ["read"] }],
  responses: {
    201: {
      description: "Good for one connection, for a short time",
      content: { "application/json": { schema: z.object({ ticket: z.string(), expires_at: z.string() }) } },
    },
  },
});

/** The live streams and the tickets for them. */
export function addStreamRoutes(
  http: OpenAPIHono<HttpEnv>,
  { streams, tickets }: { streams: LiveStreams; tickets: Tickets },
): void {
  http.openapi(ticketRoute, (c) => {
    const { ticket, expiresAt } = tickets.issue(c.env.principal!);
    return c.json({ ticket, expires_at: expiresAt }, 201);
  });
  http.openapi(sseRoute, async (c) => {
    if (c.req.method === "HEAD") return sseHead(c);
    const query = c.req.valid("query");
    const lastEventId = c.req.valid("header")["last-event-id"];
    const stream = await streams.open({
      filter: toFilter(query, c.env.principal),
      // What a reconnecting browser has seen counts more than where its page once started.
      afterSeq: lastEventId === undefined ? startOf(query) : Number(lastEventId),
      stillAllowed: () => c.env.stillAllowed(),
    });
    const { keepaliveMs } = streams;
    return sseResponse(stream, { keepaliveMs, correlationId: c.env.correlationId, frames: sseFrames });
  });
  http.openapi(websocketRoute, async (c) => {
    const query = c.req.valid("query");
    const stream = await streams.open({
      filter: toFilter(query, c.env.principal),
      afterSeq: startOf(query),
      stillAllowed: () => c.env.stillAllowed(),
    });
    try {
      const handlers = websocketHandlers(stream, {
        correlationId: c.env.correlationId,
        messages: query.batch === "true" ? batchFrames : (rows) => rows.map(eventFrame),
        advice: "connect again with after_seq of the last event seen",
      });
      return upgradeWebSocket(c, handlers);
    } catch (error) {
      stream.close();
      throw error;
    }
  });
}

/** With a time but no sequence the history starts at that time; with neither there is none. */
function startOf(query: { after_seq?: number | undefined; since?: string | undefined }): number | undefined {
  return query.after_seq ?? (query.since === undefined ? undefined : 0);
}
