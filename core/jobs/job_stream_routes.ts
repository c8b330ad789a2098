import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { Problem } from "../errors.ts";
import type { HttpEnv } from "../http/env.ts";
import type { OpenStream, OpenStreams } from "../http/open_streams.ts";
import { seesProject } from "../http/principal.ts";
import { websocketHandlers } from "../http/send_socket.ts";
import { sseHead, sseResponse } from "../http/send_sse.ts";
import { upgradeWebSocket } from "../http/serve.ts";
import type { Tickets } from "../http/tickets.ts";
import type { JobBoard } from "./job_board.ts";
import { jobFeed } from "./job_feed.ts";
import { jobDetailJson, jobJson } from "./job_json.ts";
import type { JobReader } from "./job_reader.ts";
import { jobParams, visibleJob } from "./job_routes.ts";
import { isEnd, jobStates } from "./job_state.ts";
import type { JobSummary } from "./job_tables.ts";
import type { Registrations } from "./registrations.ts";

const tags = ["jobs"];
const readOrTicket: Record<string, string[]>[] = [{ key: ["read"] }, { ticket: [] }];
const ticket = z.string().optional().openapi({
  description: "One-time ticket instead of a key, for browsers",
});
/** Unfinished jobs that a stream of all of them begins with. */
const maxFirst = 1000;

const stream = { description: "The stream", content: { "text/event-stream": { schema: z.string() } } };
const tooMany = { description: "Too many streams are open" };

const allRoute = createRoute({
  method: "get",
  path: "/api/jobs/sse",
  tags,
  security: readOrTicket,
  summary: "Follow all jobs as server-sent events",
  description:
    `Begins with the jobs that run (${maxFirst} at the most); then each job whenever it has changed.`,
  request: {
    query: z.strictObject({
      name: z.string().min(1).max(100).optional(),
      state: z.enum(jobStates).optional(),
      ticket,
    }),
  },
  responses: { 200: stream, 503: tooMany },
});

const oneRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}/sse",
  tags,
  security: readOrTicket,
  summary: "Follow a job as server-sent events, to its end",
  description: "Begins with the job as it is. The last one has its result or error; then the stream ends.",
  request: { params: jobParams, query: z.strictObject({ ticket }) },
  responses: { 200: stream, 404: { description: "No such job" }, 503: tooMany },
});

const websocketRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}/stream",
  tags,
  security: readOrTicket,
  summary: "Follow a job over a WebSocket, to its end",
  description: "One JSON text for each change, as over SSE; it closes with 1000 when the job has ended.",
  request: { params: jobParams, query: z.strictObject({ ticket }) },
  responses: {
    101: { description: "Switching to WebSocket" },
    404: { description: "No such job" },
    426: { description: "This route speaks WebSocket only" },
    503: tooMany,
  },
});

const ticketRoute = createRoute({
  method: "post",
  path: "/api/jobs/tickets",
  tags,
  security: [{ key: ["read"] }],
  summary: "A one-time ticket for a stream, for browsers, which cannot set headers on it",
  responses: {
    201: {
      description: "Good for one connection, for a short time",
      content: { "application/json": { schema: z.object({ ticket: z.string(), expires_at: z.string() }) } },
    },
  },
});

interface JobStreamParts {
  readonly tickets: Tickets;
  readonly board: JobBoard;
  readonly streams: OpenStreams;
  readonly reader: JobReader;
  readonly registrations: Registrations;
}

/** The JSON text of a job. */
type JobText = (row: JobSummary) => string | Promise<string>;

/** The streams; they have to be added before `/api/jobs/{id}`. */
export function addJobStreams(http: OpenAPIHono<HttpEnv>, parts: JobStreamParts): void {
  const { board, streams, reader, registrations } = parts;
  const isRegistered = (name: string) => registrations.has(name);
  const answer = (c: Context<HttpEnv>, opened: OpenStream<JobSummary>, text: JobText) =>
    sseResponse(opened, {
      correlationId: c.env.correlationId,
      keepaliveMs: streams.keepaliveMs,
      frames: async (rows) => (await Promise.all(rows.map(text))).map((each) => `data: ${each}\n\n`).join(""),
    });
  http.openapi(ticketRoute, (c) => {
    const { ticket, expiresAt } = parts.tickets.issue(c.env.principal!);
    return c.json({ ticket, expires_at: expiresAt }, 201);
  });
  http.openapi(allRoute, (c) => {
    if (c.req.method === "HEAD") return sseHead(c);
    const { name, state } = c.req.valid("query");
    const { principal } = c.env;
    const accepts = (row: JobSummary) =>
      seesProject(principal, row.project) && (name === undefined || row.name === name) &&
      (state === undefined || row.state === state);
    const filter = { name, state: "running", projects: principal?.projects ?? undefined } as const;
    const first = () => reader.list(filter, { limit: maxFirst });
    const opened = streams.open<JobSummary>({
      stillAllowed: () => c.env.stillAllowed(),
      feed: (signal, fail) =>
        jobFeed({ board, accepts, first, endsWithJob: false, signal, onOverflow: () => fail(slowReader()) }),
    });
    return answer(c, opened, (row) => JSON.stringify(jobJson(row, isRegistered)));
  });
  http.openapi(oneRoute, async (c) => {
    if (c.req.method === "HEAD") return sseHead(c);
    const { opened, text } = await openOne(c, parts, c.req.valid("param").id);
    return answer(c, opened, text);
  });
  http.openapi(websocketRoute, async (c) => {
    const { opened, text } = await openOne(c, parts, c.req.valid("param").id);
    try {
      const handlers = websocketHandlers(opened, {
        correlationId: c.env.correlationId,
        messages: (rows) => Promise.all(rows.map(text)),
        advice: "connect again",
        done: "the job has ended",
      });
      return upgradeWebSocket(c, handlers);
    } catch (error) {
      opened.close();
      throw error;
    }
  });
}

/** One job: the end of it comes with its result. */
async function openOne(
  { env }: Context<HttpEnv>,
  { board, streams, reader, registrations }: JobStreamParts,
  id: string,
): Promise<{ opened: OpenStream<JobSummary>; text: JobText }> {
  const job = await visibleJob(reader, { id, principal: env.principal });
  const isRegistered = (name: string) => registrations.has(name);
  const accepts = (row: JobSummary) => row.id === id;
  const first = async () => [await reader.find(id) ?? job];
  const opened = streams.open<JobSummary>({
    stillAllowed: () => env.stillAllowed(),
    feed: (signal, fail) =>
      jobFeed({ board, accepts, first, endsWithJob: true, signal, onOverflow: () => fail(slowReader()) }),
  });
  const text = async (row: JobSummary) => {
    const whole = isEnd(row.state) ? await reader.find(id) : undefined;
    return JSON.stringify(whole ? jobDetailJson(whole, isRegistered) : jobJson(row, isRegistered));
  };
  return { opened, text };
}

function slowReader(): Problem {
  return new Problem(429, "slow_reader", { detail: "The reader fell too far behind; connect again" });
}
