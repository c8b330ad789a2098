import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { HttpEnv } from "../http/env.ts";
import type { Jobs } from "../jobs/open_jobs.ts";
import type { ScheduleDesk } from "./schedule_desk.ts";
import {
  newSchedule,
  runJson,
  scheduleChange,
  scheduleDetail,
  scheduleItem,
  scheduleJson,
  scheduleRun,
} from "./schedule_json.ts";
import type { SchedulePosition, ScheduleStore } from "./schedule_store.ts";
import type { ScheduleRow } from "./schedule_tables.ts";

/** Runs that are shown with a schedule. */
const shownRuns = 20;

const tags = ["schedules"];
const read = [{ key: ["read"] }];
const write = [{ key: ["write"] }];
const params = z.object({ id: z.string().min(1).max(128) });

const answer = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { "application/json": { schema } },
});
const detail = answer("The schedule as it is now", scheduleDetail);
const unknownSchedule = { description: "No such schedule" };
const faulty = { description: "Job, input or times make no sense; `detail` says why" };
const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { "application/json": { schema } },
});

const listRoute = createRoute({
  method: "get",
  path: "/api/schedules",
  tags,
  security: read,
  summary: "Schedules, the newest first",
  request: {
    query: z.strictObject({
      project: z.string().regex(/^[a-z0-9-]{1,50}$/).optional(),
      job: z.string().min(1).max(100).optional(),
      enabled: z.enum(["true", "false"]).optional(),
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(100).openapi({ type: "integer" }),
      cursor: z.string().max(200).optional().openapi({ description: "`next` of the page before" }),
    }),
  },
  responses: {
    200: answer(
      "A page; `next` is null on the last",
      z.object({ items: z.array(scheduleItem), next: z.string().nullable() }).openapi("SchedulePage"),
    ),
  },
});

const createScheduleRoute = createRoute({
  method: "post",
  path: "/api/schedules",
  tags,
  security: write,
  summary: "Start a job again and again, or once at a time to come",
  request: { body: body(newSchedule) },
  responses: {
    201: detail,
    403: { description: "Not for this project" },
    409: { description: "1000 there are" },
    422: faulty,
  },
});

const getRoute = createRoute({
  method: "get",
  path: "/api/schedules/{id}",
  tags,
  security: read,
  summary: "A schedule with its last runs",
  request: { params },
  responses: { 200: answer("The schedule", scheduleDetail), 404: unknownSchedule },
});

const changeRoute = createRoute({
  method: "patch",
  path: "/api/schedules/{id}",
  tags,
  security: write,
  summary: "Change a schedule; what is left out stays as it is",
  request: { params, body: body(scheduleChange) },
  responses: {
    200: detail,
    403: { description: "Not for this project" },
    404: unknownSchedule,
    422: faulty,
  },
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/schedules/{id}",
  tags,
  security: write,
  summary: "Forget a schedule; jobs that it has started go on",
  request: { params },
  responses: { 204: { description: "Forgotten" }, 404: unknownSchedule },
});

const enableRoute = createRoute({
  method: "post",
  path: "/api/schedules/{id}/enable",
  tags,
  security: write,
  summary: "Let a schedule run, from now on",
  request: { params },
  responses: { 200: detail, 404: unknownSchedule, 422: faulty },
});

const disableRoute = createRoute({
  method: "post",
  path: "/api/schedules/{id}/disable",
  tags,
  security: write,
  summary: "Have a schedule rest",
  request: { params },
  responses: { 200: detail, 404: unknownSchedule },
});

const runRoute = createRoute({
  method: "post",
  path: "/api/schedules/{id}/run",
  tags,
  security: write,
  summary: "Start the job of a schedule now, also while it is disabled",
  request: { params },
  responses: {
    202: answer("The run", scheduleRun),
    404: unknownSchedule,
    409: {
      description: "The job of an earlier run is unfinished, or no plugin of this agent does such jobs",
    },
    422: { description: "The job does not take this input any more" },
  },
});

interface ScheduleRouteParts {
  readonly desk: ScheduleDesk;
  readonly store: ScheduleStore;
  readonly jobs: Pick<Jobs, "find">;
  readonly clock: Clock;
}

/** `/api/schedules` and below. */
export function addScheduleRoutes(http: OpenAPIHono<HttpEnv>, parts: ScheduleRouteParts): void {
  const { desk, store } = parts;
  const shown = (row: ScheduleRow) => detailOf(row, parts);
  http.openapi(listRoute, async (c) => {
    const { limit, cursor, enabled, ...query } = c.req.valid("query");
    const filter = {
      ...query,
      enabled: enabled === undefined ? undefined : enabled === "true",
      projects: c.env.principal?.projects ?? undefined,
    };
    const after = cursor === undefined ? undefined : positionOf(cursor);
    const rows = await store.list(filter, { limit: limit + 1, after });
    const items = rows.slice(0, limit).map((row) => itemOf(row, parts));
    return c.json({ items, next: rows.length > limit ? cursorOf(rows[limit - 1]!) : null }, 200);
  });
  http.openapi(
    createScheduleRoute,
    async (c) => c.json(await shown(await desk.create(c.req.valid("json"))), 201),
  );
  http.openapi(getRoute, async (c) => c.json(await shown(await desk.find(c.req.valid("param").id)), 200));
  http.openapi(changeRoute, async (c) => {
    const row = await desk.change(c.req.valid("param").id, c.req.valid("json"));
    return c.json(await shown(row), 200);
  });
  http.openapi(deleteRoute, async (c) => {
    await desk.delete(c.req.valid("param").id);
    return c.body(null, 204);
  });
  http.openapi(
    enableRoute,
    async (c) => c.json(await shown(await desk.enable(c.req.valid("param").id)), 200),
  );
  http.openapi(
    disableRoute,
    async (c) => c.json(await shown(await desk.disable(c.req.valid("param").id)), 200),
  );
  http.openapi(runRoute, async (c) => {
    const run = await desk.run(c.req.valid("param").id);
    return c.json(runJson({ ...run, state: "pending" }), 202);
  });
}

function itemOf(row: ScheduleRow, { clock, jobs }: ScheduleRouteParts): z.output<typeof scheduleItem> {
  const isRegistered = (job: string) => jobs.find(job) !== undefined;
  return scheduleJson(row, { nowMs: clock.now(), isRegistered });
}

async function detailOf(
  row: ScheduleRow,
  parts: ScheduleRouteParts,
): Promise<z.output<typeof scheduleDetail>> {
  const runs = (await parts.store.runs(row.id, shownRuns)).map(runJson);
  const succeeded = runs.filter(({ state }) => state === "completed").length;
  const ended = succeeded + runs.filter(({ state }) => state === "failed").length;
  return {
    ...itemOf(row, parts),
    runs,
    success_rate: ended === 0 ? null : succeeded / ended,
    conflicts: await parts.desk.conflicts(row),
  };
}

function cursorOf({ created_ms, id }: SchedulePosition): string {
  return btoa(JSON.stringify([created_ms, id])).replaceAll("=", "");
}

function positionOf(cursor: string): SchedulePosition {
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
