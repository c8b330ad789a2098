import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ReloadPlan } from "../config/reload_plan.ts";
import { ConfigurationError, Problem } from "../errors.ts";
import type { ReloadResult } from "../reload.ts";
import type { HttpEnv } from "./env.ts";
import { newApp } from "./new_app.ts";
import { requireUnlimited } from "./principal.ts";

const names = z.array(z.string());

const planned = z.object({
  kept: names.openapi({ description: "Plugins that are not touched" }),
  restarted: names,
  started: names,
  stopped: names,
  needs_restart: names.openapi({
    description: "Settings that differ but count only from the next start of the agent",
    example: ["http.port"],
  }),
}).openapi("ReloadPlan");

const reloaded = planned.extend({
  failed: z.array(z.object({
    name: z.string(),
    detail: z.string(),
    put_back: z.boolean().openapi({ description: "Whether it runs on with its old settings" }),
  })),
}).openapi("Reload");

const security = [{ key: ["admin"] }];

const plan = createRoute({
  method: "get",
  path: "/api/admin/plan",
  tags: ["admin"],
  security,
  summary: "What a reload would do now",
  responses: {
    200: { description: "The plan", content: { "application/json": { schema: planned } } },
  },
});

const reload = createRoute({
  method: "post",
  path: "/api/admin/reload",
  tags: ["admin"],
  security,
  summary: "Read the configuration again and change what has changed in it",
  responses: {
    200: {
      description: "Done; what could not be done is in `failed`",
      content: { "application/json": { schema: reloaded } },
    },
  },
});

/** `/api/admin`: for admin keys only. */
export function reloadRoutes(
  agent: { plan(): Promise<ReloadPlan>; reload(): Promise<ReloadResult> },
): OpenAPIHono<HttpEnv> {
  const app = newApp();
  app.openapi(plan, async (c) => {
    requireUnlimited(c.env.principal);
    return c.json(shown(await explained(agent.plan())), 200);
  });
  app.openapi(reload, async (c) => {
    requireUnlimited(c.env.principal);
    const result = await explained(agent.reload());
    const failed = result.failed.map(({ name, detail, putBack }) => ({ name, detail, put_back: putBack }));
    return c.json({ ...shown(result), failed }, 200);
  });
  return app;
}

function shown({ kept, restarted, started, stopped, needsRestart }: ReloadPlan): z.output<typeof planned> {
  return {
    kept: [...kept],
    restarted: [...restarted],
    started: [...started],
    stopped: [...stopped],
    needs_restart: [...needsRestart],
  };
}

async function explained<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new Problem(422, "invalid_configuration", {
      detail: "The configuration is faulty, and nothing was changed; `faults` names each fault",
      extras: { faults: error.lines },
    });
  }
}
