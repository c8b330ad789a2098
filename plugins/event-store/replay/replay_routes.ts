import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Problem } from "../../../core/errors.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import type { Principal } from "../../../core/http/principal.ts";
import { durationMs } from "../../../core/units.ts";
import { filterQuery, toFilter } from "../search/filter_query.ts";
import { replayItem, replayJson } from "./replay_json.ts";
import type { Replay } from "./replay_store.ts";
import type { Replays } from "./replays.ts";

const replayBody = filterQuery.extend({
  after_seq: z.int().min(0).optional().openapi({ description: "Only events behind this sequence" }),
  until_seq: z.int().min(0).optional().openapi({ description: "Only events up to this sequence, inclusive" }),
  speed: z.number().max(1_000_000)
    .refine((speed) => speed === 0 || speed >= 0.001, "expected 0, or 0.001 to 1000000").default(0)
    .openapi({ description: "0 = as fast as possible, 1 = as it happened, n = n times as fast" }),
  max_gap: durationMs().optional().openapi({
    type: "string",
    description:
      "Longest wait between two events, such as 5s; default: as long as it took, divided by `speed`",
  }),
}).openapi("ReplayRequest");

const params = z.object({ id: z.string().min(1).max(128) });
const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: replayItem } },
});

const startRoute = createRoute({
  method: "post",
  path: "/api/events/replay",
  summary: "Publish stored events once more, under subjects of their own",
  description:
    "Publishes under `replay.<id>.<subject>` what the log holds now, in its order; answers at once. The original " +
    "subjects see nothing of it.",
  security: [{ key: ["write"] }],
  request: { body: { required: true, content: { "application/json": { schema: replayBody } } } },
  responses: {
    202: answer("It runs, or will after the next start of the agent"),
    409: { description: "As many replays run as this agent allows" },
    422: { description: "A field is not valid" },
  },
});

const listRoute = createRoute({
  method: "get",
  path: "/api/events/replay",
  summary: "Replays, the newest first",
  security: [{ key: ["read"] }],
  request: {
    query: z.strictObject({
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(100).openapi({ type: "integer" }),
      cursor: z.string().regex(/^[0-9a-f-]{36}$/).optional().openapi({
        description: "`next` of the page before",
      }),
    }),
  },
  responses: {
    200: {
      description: "Those that run, and the last ones that ended",
      content: {
        "application/json": {
          schema: z.object({ items: z.array(replayItem), next: z.string().nullable() }).openapi("ReplayPage"),
        },
      },
    },
  },
});

const getRoute = createRoute({
  method: "get",
  path: "/api/events/replay/{id}",
  summary: "How far a replay is",
  security: [{ key: ["read"] }],
  request: { params },
  responses: { 200: answer("The replay"), 404: { description: "No such replay" } },
});

const cancelRoute = createRoute({
  method: "delete",
  path: "/api/events/replay/{id}",
  summary: "Cancel a replay",
  description: "Nothing more is published after the answer; where another agent runs it, after a second. " +
    "A replay that has ended stays as it is.",
  security: [{ key: ["write"] }],
  request: { params },
  responses: { 200: answer("The replay as it is now"), 404: { description: "No such replay" } },
});

/** `/api/events/replay` and below, but for the stream. */
export function addReplayRoutes(http: OpenAPIHono<HttpEnv>, replays: Replays): void {
  http.openapi(startRoute, async (c) => {
    const { speed, max_gap: maxGapMs = null, after_seq: afterSeq, until_seq: untilSeq, ...query } = c.req
      .valid("json");
    const filter = toFilter(query, c.env.principal);
    const startedBy = c.env.principal?.name ?? null;
    const replay = await replays.start({ filter, speed, maxGapMs, afterSeq, untilSeq, startedBy });
    return c.json(replayJson(replay), 202);
  });
  http.openapi(listRoute, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await replays.list({ before: cursor, limit });
    const items = page.filter((replay) => mayKnow(c.env.principal, replay)).map(replayJson);
    return c.json({ items, next: page.length < limit ? null : page.at(-1)!.id }, 200);
  });
  http.openapi(getRoute, async (c) => {
    const { id } = c.req.valid("param");
    return c.json(replayJson(await knownReplay(replays, { id, principal: c.env.principal })), 200);
  });
  http.openapi(cancelRoute, async (c) => {
    const { id } = c.req.valid("param");
    const asked = { id, principal: c.env.principal };
    await knownReplay(replays, asked);
    await replays.cancel(id);
    return c.json(replayJson(await knownReplay(replays, asked)), 200);
  });
}

/** The replay, if there is one that the caller may know of. Rejects with Problem 404. */
export async function knownReplay(
  replays: Replays,
  { id, principal }: { id: string; principal: Principal | undefined },
): Promise<Replay> {
  const replay = await replays.find(id);
  if (replay && mayKnow(principal, replay)) return replay;
  throw new Problem(404, "replay_not_found", {
    detail: `There is no replay with the id "${id}"; ended ones are forgotten after a while`,
  });
}

/** A key limited to projects knows of replays that show nothing beyond them. */
function mayKnow(principal: Principal | undefined, { filter }: Replay): boolean {
  const own = principal?.projects ?? null;
  return own === null || filter.projects?.every((project) => own.includes(project)) === true;
}
