import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HttpEnv } from "../../core/http/env.ts";
import { requireUnlimited } from "../../core/http/principal.ts";
import type { Exposition } from "../../core/metrics.ts";
import { negotiateFormat } from "./negotiate_format.ts";
import { summarize, summarySchema } from "./summary.ts";

const text = { schema: z.string() };

const scrapeRoute = createRoute({
  method: "get",
  path: "/metrics",
  tags: ["metrics"],
  summary: "All metrics, for a scraper",
  description: "Prometheus text format 0.0.4, or OpenMetrics 1.0 where Accept asks for it. " +
    "Open without a key from the host itself.",
  security: [{ key: ["read"] }, { loopback: [] }],
  responses: {
    200: {
      description: "The exposition",
      content: { "text/plain": text, "application/openmetrics-text": text },
    },
  },
});

const summaryRoute = createRoute({
  method: "get",
  path: "/api/metrics/summary",
  tags: ["metrics"],
  summary: "The most telling metrics as JSON",
  description: "Counters count from the start of the process; names end in their unit.",
  security: [{ key: ["read"] }],
  responses: {
    200: { description: "The summary", content: { "application/json": { schema: summarySchema } } },
    403: { description: "The key is limited to projects" },
  },
});

/** Adds `GET /metrics` and `GET /api/metrics/summary`. */
export function addRoutes(http: OpenAPIHono<HttpEnv>, exposition: Exposition): void {
  http.openapi(scrapeRoute, async (context) => {
    requireUnlimited(context.env.principal);
    const { contentType, body } = await exposition.render(negotiateFormat(context.req.header("accept")));
    return context.body(body, 200, { "content-type": contentType, vary: "Accept" });
  });
  http.openapi(summaryRoute, async (context) => {
    requireUnlimited(context.env.principal);
    return context.json(summarize(await exposition.snapshot()), 200);
  });
}
