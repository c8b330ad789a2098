import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Clock } from "../clock.ts";
import { inputSchema } from "../config/json_schema.ts";
import { Problem } from "../errors.ts";
import type { HttpEnv } from "../http/env.ts";
import { type Principal, seesProject } from "../http/principal.ts";
import { parseDuration } from "../units.ts";
import { jobDetail, jobDetailJson, jobItem, jobJson } from "./job_json.ts";
import { jobNotFound, type JobQueue } from "./job_queue.ts";
import type { JobFilter, JobPosition, JobReader } from "./job_reader.ts";
import { jobStates } from "./job_state.ts";
import { jobStatistics } from "./job_statistics.ts";
import type { JobRow } from "./job_tables.ts";
import type { Registrations } from "./registrations.ts";

const tags = ["jobs"];
const read = [{ key: ["read"] }];
const write = [{ key: ["write"] }];

/** Part of the path of every route about one job. */
export const jobParams = z.object({ id: z.string().min(1).max(128) });

const filterQuery = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  project: z.string().regex(/^[a-z0-9-]{1,50}$/).optional(),
  since: z.string().max(40).refine((text) => timeMs(text, 0) !== undefined, {
    message: "expected RFC 3339 (2026-01-31T12:00:00Z) or 15m, 2h, 7d",
  }).optional().openapi({ description: "RFC 3339, or a span back from now", example: "2h" }),
});

const detailAnswer = (description: string) => ({
  description,
  content: { "application/json": { schema: jobDetail } },
});
const unknownJob = { description: "No such job" };
const wrongState = { description: "Not in this state" };

const listRoute = createRoute({
  method: "get",
  path: "/api/jobs",
  tags,
  security: read,
  summary: "Jobs, the newest first",
  request: {
    query: filterQuery.extend({
      state: z.enum(jobStates).optional(),
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(100).openapi({ type: "integer" }),
      cursor: z.string().max(200).optional().openapi({ description: "`next` of the page before" }),
    }),
  },
  responses: {
    200: {
      description: "A page; `next` is null on the last",
      content: {
        "application/json": {
          schema: z.object({ items: z.array(jobItem), next: z.string().nullable() }).openapi("JobPage"),
        },
      },
    },
  },
});

const namesRoute = createRoute({
  method: "get",
  path: "/api/jobs/names",
  tags,
  security: read,
  summary: "What jobs this agent does, and what each has to be given",
  responses: {
    200: {
      description: "By name",
      content: {
        "application/json": {
          schema: z.object({
            items: z.array(z.object({
              name: z.string(),
              plugin: z.string(),
              input: z.record(z.string(), z.unknown()).openapi({ description: "JSON Schema" }),
            })),
          }).openapi("JobNames"),
        },
      },
    },
  },
});

const statisticsRoute = createRoute({
  method: "get",
  path: "/api/jobs/statistics",
  tags,
  security: read,
  summary: "How many jobs there are, how they ended, and how long they took",
  description: "Ended jobs count from `since` on (default: the last 24 hours).",
  request: { query: filterQuery },
  responses: {
    200: {
      description: "The figures",
      content: {
        "application/json": {
          schema: z.object({
            since: z.string(),
            by_state: z.record(z.string(), z.int()),
            success_rate: z.number().nullable().describe("Completed of completed and failed, 0 to 1"),
            mean_duration_ms: z.number().nullable().describe("Of the last attempts of these"),
            p95_duration_ms: z.number().nullable(),
            queue_depth: z.int().describe("Pending and waiting"),
            oldest_waiting: z.object({ due_at: z.string(), seconds: z.number() }).nullable(),
            complete: z.boolean().describe(
              "False where more ended than the last 100,000, which were looked at",
            ),
          }).openapi("JobStatistics"),
        },
      },
    },
  },
});

const getRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}",
  tags,
  security: read,
  summary: "A job with its input and result",
  request: { params: jobParams },
  responses: { 200: detailAnswer("The job"), 404: unknownJob },
});

const cancelRoute = createRoute({
  method: "post",
  path: "/api/jobs/{id}/cancel",
  tags,
  security: write,
  summary: "End a job",
  description: "One that runs gets a signal and is `cancelling` until its work has ended.",
  request: { params: jobParams },
  responses: { 200: detailAnswer("The job as it is now"), 404: unknownJob, 409: wrongState },
});

const retryRoute = createRoute({
  method: "post",
  path: "/api/jobs/{id}/retry",
  tags,
  security: write,
  summary: "Have a job that failed or was cancelled begin anew, or one that waits for its retry begin now",
  request: { params: jobParams },
  responses: { 200: detailAnswer("The job as it is now"), 404: unknownJob, 409: wrongState },
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/jobs/{id}",
  tags,
  security: write,
  summary: "Forget a job that has ended",
  request: { params: jobParams },
  responses: { 204: { description: "Forgotten" }, 404: unknownJob, 409: wrongState },
});

interface JobRouteParts {
  readonly queue: JobQueue;
  readonly reader: JobReader;
  readonly registrations: Registrations;
  readonly clock: Clock;
}

/** `/api/jobs` and below, but for the streams and `/{id}`, whose routes have to come last. */
export function addJobLists(
  http: OpenAPIHono<HttpEnv>,
  { reader, registrations, clock }: JobRouteParts,
): void {
  const isRegistered = (name: string) => registrations.has(name);
  http.openapi(listRoute, async (c) => {
    const { limit, cursor, ...query } = c.req.valid("query");
    const filter = {
      ...filterOf(query, { principal: c.env.principal, nowMs: clock.now() }),
      state: query.state,
    };
    const after = cursor === undefined ? undefined : positionOf(cursor);
    const rows = await reader.list(filter, { limit: limit + 1, after });
    const items = rows.slice(0, limit).map((row) => jobJson(row, isRegistered));
    return c.json({ items, next: rows.length > limit ? cursorOf(rows[limit - 1]!) : null }, 200);
  });
  http.openapi(namesRoute, (c) => {
    const items = registrations.all().map(({ job, plugin }) => ({
      name: job.name,
      plugin,
      input: inputSchema(job.input) as Record<string, unknown>,
    }));
    return c.json({ items }, 200);
  });
  http.openapi(statisticsRoute, async (c) => {
    const { since, ...query } = c.req.valid("query");
    const nowMs = clock.now();
    const endedSinceMs = timeMs(since ?? "1d", nowMs)!;
    const filter = filterOf(query, { principal: c.env.principal, nowMs });
    const figures = await jobStatistics(reader, { filter, endedSinceMs, nowMs });
    const { oldestDueMs } = figures;
    return c.json({
      since: new Date(endedSinceMs).toISOString(),
      by_state: { ...figures.byState },
      success_rate: figures.successRatio,
      mean_duration_ms: figures.meanMs,
      p95_duration_ms: figures.p95Ms,
      queue_depth: figures.queueDepth,
      oldest_waiting: oldestDueMs === null
        ? null
        : { due_at: new Date(oldestDueMs).toISOString(), seconds: (nowMs - oldestDueMs) / 1000 },
      complete: figures.isComplete,
    }, 200);
  });
}

/** The routes of one job. */
export function addJobRoutes(
  http: OpenAPIHono<HttpEnv>,
  { queue, reader, registrations }: JobRouteParts,
): void {
  const shown = (row: JobRow) => jobDetailJson(row, (name) => registrations.has(name));
  http.openapi(getRoute, async (c) => {
    return c.json(
      shown(await visibleJob(reader, { ...c.req.valid("param"), principal: c.env.principal })),
      200,
    );
  });
  http.openapi(cancelRoute, async (c) => {
    const { id } = await visibleJob(reader, { ...c.req.valid("param"), principal: c.env.principal });
    return c.json(shown(await queue.cancel(id)), 200);
  });
  http.openapi(retryRoute, async (c) => {
    const { id } = await visibleJob(reader, { ...c.req.valid("param"), principal: c.env.principal });
    return c.json(shown(await queue.retry(id)), 200);
  });
  http.openapi(deleteRoute, async (c) => {
    const { id } = await visibleJob(reader, { ...c.req.valid("param"), principal: c.env.principal });
    await queue.delete(id);
    return c.body(null, 204);
  });
}

/** The job, if there is one that the caller may see. Rejects with Problem 404. */
export async function visibleJob(
  reader: JobReader,
  { id, principal }: { id: string; principal: Principal | undefined },
): Promise<JobRow> {
  const row = await reader.find(id);
  if (row && seesProject(principal, row.project)) return row;
  throw jobNotFound(id);
}

function filterOf(
  query: z.output<typeof filterQuery>,
  { principal, nowMs }: { principal: Principal | undefined; nowMs: number },
): JobFilter {
  const { name, project, since } = query;
  return {
    name,
    project,
    sinceMs: since === undefined ? undefined : timeMs(since, nowMs),
    projects: principal?.projects ?? undefined,
  };
}

function timeMs(text: string, nowMs: number): number | undefined {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  return z.iso.datetime({ offset: true }).safeParse(text).success ? Date.parse(text) : undefined;
}

function cursorOf({ created_ms, id }: JobPosition): string {
  return btoa(JSON.stringify([created_ms, id])).replaceAll("=", "");
}

function positionOf(cursor: string): JobPosition {
  try {
    const [created_ms, id] = z.tuple([z.int(), z.string()]).parse(JSON.parse(atob(cursor)));
    return { created_ms, id };
  } catch (cause) {
    throw new Problem(422, "invalid_cursor", {
      detail: "The cursor is not one of ours: send `next` as it came",
      cause,
    });
  }
}
