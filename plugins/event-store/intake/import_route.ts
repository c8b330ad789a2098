import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HttpEnv } from "../../../core/http/env.ts";
import { requireUnlimited } from "../../../core/http/principal.ts";
import type { EventLog } from "../log/event_log.ts";
import { draftBatch, maxBatchBytes, maxBatchEvents, readBatch } from "./batch_body.ts";
import { answerOf, batchResponses, isLines, lineTypes } from "./batch_route.ts";
import { draftImported, importBody } from "./import_body.ts";
import { mediaTypeOf } from "./media_type.ts";

const importRoute = createRoute({
  method: "post",
  path: "/api/events/import",
  summary: "Take in up to 1000 events of another log as they are, all or none",
  description:
    "They keep id, origin, time and all the rest, get the next places in this log, and are not put on " +
    "the bus. What is here already counts as duplicate.",
  security: [{ key: ["admin"] }],
  "x-max-body": maxBatchBytes,
  request: {
    body: {
      required: true,
      content: {
        "application/json": { schema: z.array(importBody).min(1).max(maxBatchEvents) },
        "application/x-ndjson": { schema: importBody },
        "application/jsonl": { schema: importBody },
      },
    },
  },
  responses: batchResponses,
});

/** `POST /api/events/import`. */
export function addImportRoute(http: OpenAPIHono<HttpEnv>, log: EventLog): void {
  http.openAPIRegistry.registerPath(importRoute);
  http.post(importRoute.path, async (c) => {
    requireUnlimited(c.env.principal);
    const type = mediaTypeOf(c.req.header("content-type"), ["application/json", ...lineTypes]);
    const values = await readBatch(c, isLines(type) ? "lines" : "array");
    const drafts = await draftBatch(values, (value) => draftImported(value, log));
    return c.json(...answerOf(await log.acceptAll(drafts)));
  });
}
