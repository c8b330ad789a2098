import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Problem } from "../../../core/errors.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import { seesProject } from "../../../core/http/principal.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { EventStore } from "../store.ts";
import { chainItem, chainJson } from "./chain_json.ts";
import { ChainSearch } from "./chain_search.ts";
import { ChainStore } from "./chain_store.ts";

const chainRoute = createRoute({
  method: "get",
  path: "/api/events/{id}/chain",
  summary: "What caused an event, and all that it caused",
  security: [{ key: ["read"] }],
  request: {
    params: z.object({ id: z.string().min(1).max(128) }),
    query: z.strictObject({
      depth: z.coerce.number().pipe(z.int().min(0).max(100)).default(20).openapi({
        type: "integer",
        description: "Steps up to its causes, and down to its effects",
      }),
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(200).openapi({
        type: "integer",
        description: "Events of the whole tree",
      }),
      origin: z.string().max(100).optional().openapi({
        description:
          "Id of the node, where several have an event with this id; default: the first that was stored",
      }),
    }),
  },
  responses: {
    200: { description: "The tree", content: { "application/json": { schema: chainItem } } },
    404: { description: "No such event, or none that this key may see" },
  },
});

/** `GET /api/events/{id}/chain`. */
export function addChainRoute(
  http: OpenAPIHono<HttpEnv>,
  { store, storage }: { store: EventStore; storage: Storage },
): void {
  const chains = new ChainStore(storage);
  http.openapi(chainRoute, async (c) => {
    const { id } = c.req.valid("param");
    const { depth, limit, origin } = c.req.valid("query");
    const maySee = ({ project }: { project: string | null }) => seesProject(c.env.principal, project);
    const asked = await store.byId(id, origin);
    if (!asked || !maySee(asked)) {
      throw new Problem(404, "event_not_found", { detail: `There is no event with the id "${id}"` });
    }
    const search = new ChainSearch({ store, chains, maySee, depth, limit });
    return c.json(chainJson(await search.find(asked)), 200);
  });
}
