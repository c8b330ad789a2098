import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import { parseDuration } from "../units.ts";
import type { HttpEnv } from "./env.ts";
import type { KeyRing } from "./key_ring.ts";
import type { KeyPosition, KeyStore, StoredKey } from "./key_store.ts";
import { newApp } from "./new_app.ts";
import type { Principal } from "./principal.ts";

const time = z.string().nullable().openapi({ format: "date-time" });

const key = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(["read", "write", "admin"])),
  projects: z.array(z.string()).nullable(),
  created_at: z.string().openapi({ format: "date-time" }),
  created_by: z.string().nullable(),
  expires_at: time,
  last_used_at: time,
  revoked_at: time,
}).openapi("Key");

const newKey = z.strictObject({
  name: z.string().trim().min(1).max(100).regex(/^[^\p{C}]+$/u, { message: "holds control characters" })
    .openapi({ example: "grafana", pattern: "^[^\\p{C}]+$" }),
  scopes: z.array(z.enum(["read", "write", "admin"])).min(1).max(3)
    .openapi({ description: "`admin` includes `write`, `write` includes `read`" }),
  projects: z.array(z.string().regex(/^[a-z0-9-]{1,50}$/)).min(1).max(100).nullish()
    .openapi({ description: "Slugs that the key is limited to; without, it sees all" }),
  expires_in: z.string().max(20).refine((text) => (parseDuration(text) ?? 0) > 0, {
    message: "expected a duration such as 12h or 90d",
  }).optional().openapi({ example: "90d" }),
  expires_at: z.iso.datetime({ offset: true }).optional(),
}).refine(({ expires_in, expires_at }) => !expires_in || !expires_at, {
  message: "give expires_in or expires_at, not both",
  path: ["expires_at"],
}).refine(({ scopes, projects }) => !projects || !scopes.includes("admin"), {
  message: "a key limited to projects cannot be admin: who may make keys could lift the limit",
  path: ["projects"],
}).openapi("NewKey");

const security = [{ key: ["admin"] }];

const create = createRoute({
  method: "post",
  path: "/api/keys",
  tags: ["keys"],
  security,
  summary: "Make a key; this answer is the only one that shows it",
  request: { body: { required: true, content: { "application/json": { schema: newKey } } } },
  responses: {
    201: {
      description: "Made; `key` is what its holder sends",
      content: { "application/json": { schema: key.extend({ key: z.string() }).openapi("CreatedKey") } },
    },
  },
});

const list = createRoute({
  method: "get",
  path: "/api/keys",
  tags: ["keys"],
  security,
  summary: "List keys, oldest first, revoked ones included",
  request: {
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(1000).default(100),
      cursor: z.string().max(200).optional().openapi({ description: "`next` of the page before" }),
    }),
  },
  responses: {
    200: {
      description: "A page; `next` is null on the last",
      content: {
        "application/json": {
          schema: z.object({ items: z.array(key), next: z.string().nullable() }).openapi("Keys"),
        },
      },
    },
  },
});

const revoke = createRoute({
  method: "delete",
  path: "/api/keys/{id}",
  tags: ["keys"],
  security,
  summary: "Revoke a key at once and for good",
  request: { params: z.object({ id: z.string().max(100) }) },
  responses: { 204: { description: "Revoked, now or before" } },
});

/** `/api/keys`: for admin keys only. */
export function keyRoutes(
  { ring, store, clock }: { ring: KeyRing; store: KeyStore; clock: Clock },
): OpenAPIHono<HttpEnv> {
  const app = newApp();
  app.openapi(create, async (c) => {
    const { name, scopes, projects, expires_in, expires_at } = c.req.valid("json");
    const holder = c.env.principal!;
    const expiresMs = expiryOf({ expires_in, expires_at }, clock.now());
    refuseOutliving(expiresMs, ring.expiryOf(holder.keyId), holder);
    const { stored, text } = await ring.create({
      name,
      scopes: [...new Set(scopes)],
      projects: projects ? [...new Set(projects)] : null,
      expiresAt: expiresMs === Infinity ? null : new Date(expiresMs).toISOString(),
      createdBy: holder.keyId,
    });
    return c.json({ ...shown(stored), key: text }, 201, { location: `/api/keys/${stored.id}` });
  });
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const keys = await store.list({
      limit: limit + 1,
      after: cursor === undefined ? undefined : positionOf(cursor),
    });
    const items = keys.slice(0, limit).map(shown);
    const last = items.at(-1);
    return c.json({ items, next: keys.length > limit && last ? cursorOf(last) : null }, 200);
  });
  app.openapi(revoke, async (c) => {
    const { id } = c.req.valid("param");
    const outcome = await ring.revoke(id);
    if (outcome === "unknown") throw new Problem(404, "key_not_found", { detail: `There is no key "${id}"` });
    if (outcome === "last_admin") {
      throw new Problem(409, "last_admin_key", {
        detail:
          "This is the last valid admin key; without it nobody could make another. Make another one first",
      });
    }
    return c.body(null, 204);
  });
  return app;
}

function shown(
  { id, name, scopes, projects, created_at, created_by, ...times }: StoredKey,
): z.output<typeof key> {
  const { expires_at, last_used_at, revoked_at } = times;
  return {
    id,
    name,
    scopes: [...scopes],
    projects: projects && [...projects],
    created_at,
    created_by,
    expires_at,
    last_used_at,
    revoked_at,
  };
}

function expiryOf(
  asked: { expires_in?: string | undefined; expires_at?: string | undefined },
  nowMs: number,
): number {
  const { expires_in, expires_at } = asked;
  if (expires_in === undefined && expires_at === undefined) return Infinity;
  const expiresMs = expires_at === undefined ? nowMs + parseDuration(expires_in!)! : Date.parse(expires_at);
  if (expiresMs > nowMs && expiresMs <= Date.parse("9999-12-31T00:00:00Z")) return expiresMs;
  throw new Problem(422, "invalid_expiry", {
    detail: "The expiry must lie in the future, and before the year 9999",
  });
}

/** Who holds a key for a day must not make themselves one for ever. */
function refuseOutliving(expiresMs: number, holderExpiresMs: number, holder: Principal): void {
  if (expiresMs <= holderExpiresMs) return;
  throw new Problem(403, "outlives_creator", {
    detail: `The key "${holder.name}" expires ${new Date(Math.max(0, holderExpiresMs)).toISOString()}; ` +
      "what it makes has to expire by then",
  });
}

function cursorOf({ created_at, id }: KeyPosition): string {
  return btoa(JSON.stringify([created_at, id])).replaceAll("=", "");
}

function positionOf(cursor: string): KeyPosition {
  try {
    const [created_at, id] = z.tuple([z.string(), z.string()]).parse(JSON.parse(atob(cursor)));
    return { created_at, id };
  } catch (cause) {
    throw new Problem(422, "invalid_cursor", {
      detail: "The cursor is not one of ours: send `next` as it came",
      cause,
    });
  }
}
