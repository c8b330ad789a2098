import { createRoute } from "@hono/zod-openapi";
import { expect } from "expect";
import { systemClock } from "../clock.ts";
import type { SecurityRequirement } from "./policy.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";

const kinds: Record<string, SecurityRequirement[] | undefined> = {
  open: [],
  read: [{ key: ["read"] }],
  write: [{ key: ["write"] }],
  admin: [{ key: ["admin"] }],
  ticket: [{ key: ["write"] }, { ticket: [] }],
  "admin-ticket": [{ key: ["admin"] }, { ticket: [] }],
  loopback: [{ key: ["read"] }, { loopback: [] }],
  default: undefined,
};

function startWithEveryKind(options: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  return TestServer.start({
    ...options,
    routes: (app) => {
      for (const [kind, security] of Object.entries(kinds)) {
        for (const method of ["get", "post"] as const) {
          const declared = security ? { security: security as Record<string, string[]>[] } : {};
          app.openapi(
            createRoute({
              method,
              path: `/api/test/${kind}`,
              ...declared,
              responses: { 200: { description: "" } },
            }),
            (c) => c.json({ principal: c.env.principal ?? null }),
          );
        }
      }
    },
  });
}

Deno.test("every kind of key meets every kind of route", async () => {
  const offset = { ms: 0 };
  const clock = { ...systemClock, now: () => Date.now() + offset.ms };
  await using server = await startWithEveryKind({
    clock,
    settings: { rate_limits: { failed_keys_per_minute: 0 } },
  });
  const keys: Record<string, string | null> = {
    none: null,
    malformed: "not-a-key",
    unknown: `cc_${"0".repeat(16)}_${"A".repeat(43)}`,
    read: (await server.makeKey({ scopes: ["read"] })).key,
    write: (await server.makeKey({ scopes: ["write"] })).key,
    admin: server.adminKey,
    limited: (await server.makeKey({ scopes: ["write"], projects: ["demo"] })).key,
  };
  keys.forged = `${keys.admin!.slice(0, -43)}${"A".repeat(43)}`;
  keys.expired = (await server.makeKey({ scopes: ["admin"], expires_in: "1h" })).key;
  const revoked = await server.makeKey({ scopes: ["admin"] });
  keys.revoked = revoked.key;
  expect((await server.json(`/api/keys/${revoked.id}`, { method: "DELETE" })).status).toBe(204);
  offset.ms = 3_600_001;

  //            none mal  unkn read write admin limit forgd expir revok
  const table = {
    "GET open": [200, 200, 200, 200, 200, 200, 200, 200, 200, 200],
    "GET read": [401, 401, 401, 200, 200, 200, 200, 401, 401, 401],
    "GET write": [401, 401, 401, 403, 200, 200, 200, 401, 401, 401],
    "GET admin": [401, 401, 401, 403, 403, 200, 403, 401, 401, 401],
    "GET ticket": [401, 401, 401, 403, 200, 200, 200, 401, 401, 401],
    "GET loopback": [200, 401, 401, 200, 200, 200, 200, 401, 401, 401],
    "GET default": [401, 401, 401, 200, 200, 200, 200, 401, 401, 401],
    "POST default": [401, 401, 401, 403, 200, 200, 200, 401, 401, 401],
    "POST read": [401, 401, 401, 200, 200, 200, 200, 401, 401, 401],
    "GET nowhere": [401, 401, 401, 404, 404, 404, 404, 401, 401, 401],
    "PUT open": [401, 401, 401, 405, 405, 405, 405, 401, 401, 401],
  };
  const order = "none malformed unknown read write admin limited forged expired revoked".split(" ");
  for (const [what, expected] of Object.entries(table)) {
    const [method, kind] = what.split(" ");
    const got: number[] = [];
    for (const name of order) {
      const response = await server.fetch(`/api/test/${kind}`, { method, key: keys[name]! });
      await response.body?.cancel();
      got.push(response.status);
    }
    expect({ what, got }).toEqual({ what, got: expected });
  }
});

Deno.test("X-API-Key does as well as Authorization, and other schemes do not", async () => {
  await using server = await startWithEveryKind();
  const status = async (headers: Record<string, string>) => {
    const response = await server.fetch("/api/test/read", { key: null, headers });
    await response.body?.cancel();
    return response.status;
  };
  expect(await status({ "x-api-key": server.adminKey })).toBe(200);
  expect(await status({ authorization: `bearer ${server.adminKey}` })).toBe(200);
  expect(await status({ authorization: server.adminKey })).toBe(401);
  expect(await status({ authorization: `Basic ${btoa(`x:${server.adminKey}`)}` })).toBe(401);
  expect(await status({ authorization: `Bearer ${server.adminKey}x` })).toBe(401);
});

Deno.test("a key is shown once, listed without its secret, and revoked at once", async () => {
  await using server = await startWithEveryKind();
  const made = await server.json("/api/keys", {
    body: { name: "grafana", scopes: ["read", "read"], projects: ["demo"], expires_in: "90d" },
  });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    name: "grafana",
    scopes: ["read"],
    projects: ["demo"],
    revoked_at: null,
  });
  expect(made.body.key).toMatch(/^cc_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
  expect(made.headers.get("location")).toBe(`/api/keys/${made.body.id}`);
  expect(Date.parse(made.body.expires_at) - Date.now()).toBeGreaterThan(89 * 86_400_000);

  const used = await server.json("/api/test/read", { key: made.body.key });
  expect(used.body.principal).toEqual({
    keyId: made.body.id,
    name: "grafana",
    scopes: ["read"],
    projects: ["demo"],
  });
  const list = await server.json("/api/keys");
  expect(list.body.next).toBeNull();
  const text = JSON.stringify(list.body);
  expect(text).not.toContain(made.body.key.slice(-43));
  expect(text).not.toContain("hash");
  expect(list.body.items.map((key: { name: string }) => key.name)).toEqual(["admin@hub-test", "grafana"]);
  expect(list.body.items[1].last_used_at).not.toBeNull();

  for (let round = 0; round < 2; round++) {
    expect((await server.json(`/api/keys/${made.body.id}`, { method: "DELETE" })).status).toBe(204);
  }
  expect((await server.json("/api/test/read", { key: made.body.key })).status).toBe(401);
  expect((await server.json("/api/keys/0000", { method: "DELETE" })).body.code).toBe("key_not_found");
});

Deno.test("keys come in pages", async () => {
  await using server = await startWithEveryKind();
  for (let index = 0; index < 4; index++) await server.makeKey({ name: `key ${index}`, scopes: ["read"] });
  const names: string[] = [];
  let path = "/api/keys?limit=2";
  for (let page = 0; page < 3; page++) {
    const { body } = await server.json(path);
    names.push(...body.items.map((key: { name: string }) => key.name));
    expect(body.next === null).toBe(page === 2);
    path = `/api/keys?limit=2&cursor=${body.next}`;
  }
  // Keys that were made in the same millisecond may come in any order among themselves.
  expect(names.toSorted()).toEqual(["admin@hub-test", "key 0", "key 1", "key 2", "key 3"]);
  expect((await server.json("/api/keys?cursor=nonsense")).body.code).toBe("invalid_cursor");
});

Deno.test("what a key may not ask for is refused", async () => {
  await using server = await startWithEveryKind();
  const cases: [Record<string, unknown>, number, string][] = [
    [{ name: "", scopes: ["read"] }, 422, "invalid_request"],
    [{ name: "a\u0007", scopes: ["read"] }, 422, "invalid_request"],
    [{ name: "a", scopes: [] }, 422, "invalid_request"],
    [{ name: "a", scopes: ["root"] }, 422, "invalid_request"],
    [{ name: "a", scopes: ["read"], admin: true }, 422, "invalid_request"],
    [{ name: "a", scopes: ["read"], projects: [] }, 422, "invalid_request"],
    [{ name: "a", scopes: ["admin"], projects: ["demo"] }, 422, "invalid_request"],
    [
      { name: "a", scopes: ["read"], expires_in: "1h", expires_at: "2999-01-01T00:00:00Z" },
      422,
      "invalid_request",
    ],
    [{ name: "a", scopes: ["read"], expires_at: "2001-01-01T00:00:00Z" }, 422, "invalid_expiry"],
    [{ name: "a", scopes: ["read"], expires_in: "999999999999d" }, 422, "invalid_expiry"],
  ];
  for (const [body, status, code] of cases) {
    const answer = await server.json("/api/keys", { body });
    expect([body, answer.status, answer.body.code]).toEqual([body, status, code]);
  }
});

Deno.test("only admin keys touch keys, and a short-lived one makes nothing that outlives it", async () => {
  await using server = await startWithEveryKind();
  for (const scopes of [["read"], ["write"]]) {
    const { key, id } = await server.makeKey({ scopes });
    expect((await server.json("/api/keys", { key })).status).toBe(403);
    expect((await server.json("/api/keys", { key, body: { name: "x", scopes: ["admin"] } })).status).toBe(
      403,
    );
    expect((await server.json(`/api/keys/${id}`, { key, method: "DELETE" })).status).toBe(403);
  }
  const { key } = await server.makeKey({ scopes: ["admin"], expires_in: "1h" });
  const longer = await server.json("/api/keys", {
    key,
    body: { name: "x", scopes: ["admin"], expires_in: "2h" },
  });
  const endless = await server.json("/api/keys", { key, body: { name: "x", scopes: ["read"] } });
  const shorter = await server.json("/api/keys", {
    key,
    body: { name: "x", scopes: ["admin"], expires_in: "30m" },
  });
  expect([longer.body.code, endless.body.code, shorter.status]).toEqual([
    "outlives_creator",
    "outlives_creator",
    201,
  ]);
});

Deno.test("the last valid admin key cannot be revoked, not even by two requests at once", async () => {
  await using server = await startWithEveryKind();
  const { body } = await server.json("/api/keys");
  const first = body.items[0].id as string;
  expect((await server.json(`/api/keys/${first}`, { method: "DELETE" })).body.code).toBe("last_admin_key");
  const second = await server.makeKey({ scopes: ["admin"] });
  const outcomes = await Promise.all([
    server.json(`/api/keys/${first}`, { method: "DELETE" }),
    server.json(`/api/keys/${second.id}`, { method: "DELETE", key: second.key }),
  ]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual([204, 409]);
});

Deno.test("a ticket opens its kind of route once, for its holder, while the key lives", async () => {
  const offset = { ms: 0 };
  await using server = await startWithEveryKind({
    clock: { ...systemClock, now: () => Date.now() + offset.ms },
  });
  const { key, id } = await server.makeKey({ name: "browser", scopes: ["write"] });
  const { body: { principal } } = await server.json("/api/test/read", { key });
  const open = async (path: string, ticket: string) => {
    const { status, body } = await server.json(`${path}?ticket=${ticket}`, { key: null });
    return [status, body.principal?.name ?? body.code];
  };
  const { ticket } = server.http.tickets.issue(principal);
  expect(await open("/api/test/read", ticket)).toEqual([401, "unauthorized"]); // a route without tickets leaves it whole
  expect(await open("/api/test/ticket", ticket)).toEqual([200, "browser"]);
  expect(await open("/api/test/ticket", ticket)).toEqual([401, "unauthorized"]);

  const late = server.http.tickets.issue(principal).ticket;
  offset.ms += 30_001;
  expect(await open("/api/test/ticket", late)).toEqual([401, "unauthorized"]);

  const reader = await server.makeKey({ scopes: ["read"] });
  const { body: weak } = await server.json("/api/test/read", { key: reader.key });
  expect((await open("/api/test/ticket", server.http.tickets.issue(weak.principal).ticket))[0]).toBe(403);

  const orphan = server.http.tickets.issue(principal).ticket;
  await server.json(`/api/keys/${id}`, { method: "DELETE" });
  expect(await open("/api/test/ticket", orphan)).toEqual([401, "unauthorized"]);
});

Deno.test("a holder limited to projects is no admin, whatever scopes it claims", async () => {
  await using server = await startWithEveryKind();
  const { body: { principal } } = await server.json("/api/test/read");
  for (const [projects, expected] of [[null, 200], [["demo"], 403]] as const) {
    const { ticket } = server.http.tickets.issue({ ...principal, projects });
    expect((await server.json(`/api/test/admin-ticket?ticket=${ticket}`, { key: null })).status).toBe(
      expected,
    );
  }
});

Deno.test("loopback means this machine itself: not a proxy on it, not a rebound name", async () => {
  await using server = await startWithEveryKind({ settings: { allowed_hosts: ["hub.example.org"] } });
  const { port } = new URL(server.url);
  const status = async (headers: string) => {
    const answer = await server.raw(
      `GET /api/test/loopback HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`,
    );
    return Number(answer.split(" ")[1]);
  };
  expect(await status(`Host: 127.0.0.1:${port}`)).toBe(200);
  expect(await status(`Host: localhost:${port}`)).toBe(200);
  expect(await status(`Host: [::1]:${port}`)).toBe(200);
  expect(await status("Host: hub.example.org")).toBe(401);
  for (const header of ["Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4"]) {
    expect(await status(`Host: localhost\r\n${header}`)).toBe(401);
  }
});
