import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { expect } from "expect";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { currentContext } from "../context.ts";
import { Problem } from "../errors.ts";
import type { HttpEnv } from "./env.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";

const open = { security: [] as Record<string, string[]>[], responses: { 200: { description: "" } } };

function get(
  app: OpenAPIHono<HttpEnv>,
  path: string,
  handler: (c: Context<HttpEnv>) => Response | Promise<Response>,
): void {
  app.openapi(createRoute({ ...open, method: "get", path: `/api/test/${path}` }), handler);
}

function startWithFailures(options: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  return TestServer.start({
    ...options,
    routes: (app) => {
      get(app, "fine", () => Response.json({ correlation_id: currentContext()?.correlationId }));
      get(app, "trace", () => Response.json({ traceparent: currentContext()?.traceparent ?? null }));
      get(app, "panic", () => {
        throw new Error("password hunter2 in the message");
      });
      get(app, "late-panic", () => Promise.reject(new TypeError("hunter2")));
      get(app, "no-error", () => {
        throw "hunter2"; // deno-lint-ignore-line no-throw-literal
      });
      get(app, "problem", () => {
        throw new Problem(409, "conflict", { detail: "It is so", extras: { expected: 3 } });
      });
      get(app, "hono", () => {
        throw new HTTPException(418, { message: "tea" });
      });
      get(app, "redirect", () => Response.redirect("http://127.0.0.1/elsewhere", 302));
      get(
        app,
        "hang",
        (c) =>
          new Promise((resolve) => c.env.closing.addEventListener("abort", () => resolve(new Response()))),
      );
      get(
        app,
        "own-headers",
        () =>
          new Response("x", {
            headers: { "cache-control": "max-age=1", "content-security-policy": "default-src 'self'" },
          }),
      );
      app.openapi(
        createRoute({
          ...open,
          method: "get",
          path: "/api/test/items/{id}",
          request: {
            params: z.object({ id: z.string() }),
            query: z.strictObject({ limit: z.coerce.number().optional() }),
          },
        }),
        (c) => c.json({ id: c.req.valid("param").id }),
      );
    },
  });
}

Deno.test("whatever goes wrong becomes a problem that tells nothing of the inside", async () => {
  await using server = await startWithFailures();
  const cases: [string, number, string][] = [
    ["panic", 500, "internal_error"],
    ["late-panic", 500, "internal_error"],
    ["no-error", 500, "internal_error"],
    ["problem", 409, "conflict"],
    ["hono", 418, "i_m_a_teapot"],
    ["items/1?limit=many", 422, "invalid_request"],
    ["items/1?limit=1&colour=red", 422, "invalid_request"],
    ["items/%00", 400, "invalid_url"],
    ["nowhere", 404, "not_found"],
  ];
  for (const [path, status, code] of cases) {
    const answer = await server.json(`/api/test/${path}`, { headers: { "x-correlation-id": "my-id" } });
    expect([path, answer.status, answer.body.code]).toEqual([path, status, code]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("x-correlation-id")).toBe("my-id");
    expect(answer.body).toMatchObject({ type: "about:blank", status, correlation_id: "my-id" });
    expect(JSON.stringify(answer.body)).not.toMatch(/hunter2|\.ts|stack/);
  }
  const panics = server.lines.filter(({ level }) => level === "error");
  expect(panics.map(({ properties }) => properties.path)).toEqual(
    ["panic", "late-panic", "no-error"].map((path) => `/api/test/${path}`),
  );
  expect(panics[0]!.properties).toMatchObject({ correlation_id: "my-id", status: 500 });
  expect((panics[0]!.properties.error as Error).message).toContain("hunter2");
});

Deno.test("the members of a problem: what the code adds, and which part of the request was wrong", async () => {
  await using server = await startWithFailures();
  expect((await server.json("/api/test/problem")).body).toMatchObject({
    title: "Conflict",
    detail: "It is so",
    expected: 3,
  });
  const { body } = await server.json("/api/test/items/1?limit=many");
  expect(body.errors).toHaveLength(1);
  expect(body.errors[0].path).toBe("query.limit");
});

Deno.test("methods: 405 with Allow, HEAD like GET without body, OPTIONS with Allow", async () => {
  await using server = await startWithFailures();
  const wrong = await server.json("/api/test/fine", { method: "DELETE" });
  expect([wrong.status, wrong.body.code, wrong.headers.get("allow")]).toEqual([
    405,
    "method_not_allowed",
    "GET, HEAD, OPTIONS",
  ]);
  expect((await server.json("/api/keys", { method: "PUT" })).headers.get("allow")).toBe(
    "GET, POST, HEAD, OPTIONS",
  );
  const head = await server.fetch("/api/test/fine", { method: "HEAD", key: null });
  expect([head.status, await head.text(), head.headers.get("content-type")]).toEqual([
    200,
    "",
    "application/json",
  ]);
  const options = await server.json("/api/test/fine", { method: "OPTIONS" });
  expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
  expect((await server.json("/api/test/fine", { method: "OPTIONS", key: null })).status).toBe(401);
  expect((await server.json("/api/nowhere", { method: "OPTIONS" })).status).toBe(404);
});

Deno.test("every answer carries the headers that keep browsers in check", async () => {
  await using server = await startWithFailures();
  const always = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "x-correlation-id": expect.any(String),
  };
  const unlessJson = { ...always, "x-frame-options": "DENY", "referrer-policy": "no-referrer" };
  const cases: [string, object][] = [
    ["/health/live", always],
    ["/api/keys", always],
    ["/api/test/fine", unlessJson],
    ["/api/test/panic", unlessJson],
    ["/api/test/redirect", unlessJson],
    ["/api/nowhere", unlessJson],
  ];
  for (const [path, expected] of cases) {
    const { headers, body } = await server.fetch(path);
    await body?.cancel();
    expect([path, Object.fromEntries(headers)]).toEqual([path, expect.objectContaining(expected)]);
  }
  const own = await server.fetch("/api/test/own-headers");
  await own.text();
  expect(own.headers.get("cache-control")).toBe("max-age=1");
  expect(own.headers.get("content-security-policy")).toBe("default-src 'self'");
});

Deno.test("a correlation id is kept where it is one, and replaced where not", async () => {
  await using server = await startWithFailures();
  const echo = async (sent?: string) => {
    const answer = await server.json(
      "/api/test/fine",
      sent === undefined ? {} : { headers: { "x-correlation-id": sent } },
    );
    expect(answer.headers.get("x-correlation-id")).toBe(answer.body.correlation_id);
    return answer.body.correlation_id as string;
  };
  const uuid = "0190b6a1-7d6c-7000-8000-000000000000";
  for (const sent of [uuid, "a", "A.b_c-9", "x".repeat(128)]) expect(await echo(sent)).toBe(sent);
  for (const sent of [undefined, "", "x".repeat(129), "a b", "a;drop", "ä", "<script>"]) {
    expect(await echo(sent)).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
  }
});

Deno.test("W3C trace context is passed on where it is well-formed", async () => {
  await using server = await startWithFailures();
  const pass = async (traceparent: string) =>
    (await server.json("/api/test/trace", { headers: { traceparent } })).body.traceparent;
  const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  expect(await pass(good)).toBe(good);
  for (
    const bad of [
      good.toUpperCase(),
      good.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0".repeat(32)),
      good.replace("00f067aa0ba902b7", "0".repeat(16)),
      `ff${good.slice(2)}`,
      "nonsense",
    ]
  ) expect(await pass(bad)).toBeNull();
});

Deno.test("a foreign Host is refused (DNS rebinding), also for routes without key", async () => {
  await using server = await startWithFailures({ settings: { allowed_hosts: ["hub.example.org"] } });
  const { port } = new URL(server.url);
  const status = async (host: string) => {
    const answer = await server.raw(`GET /api/test/fine HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
    return Number(answer.split(" ")[1]);
  };
  for (const host of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.8.9.1", "hub.example.org"]) {
    expect([host, await status(`Host: ${host}:${port}\r\n`)]).toEqual([host, 200]);
  }
  for (
    const host of ["evil.example.org", "localhost.evil.org", "127.0.0.1.nip.io", "192.168.0.1", "a@localhost"]
  ) {
    const got = await status(`Host: ${host}:${port}\r\n`);
    expect([host, got === 421 || got === 400]).toEqual([host, true]);
  }
  expect(await status("")).toBe(400);
});

Deno.test("web pages of other origins are refused, those allowed get CORS", async () => {
  const listed = "https://dashboard.example.org";
  await using server = await startWithFailures({ settings: { allowed_origins: [listed] } });
  const call = (origin: string, init: { method?: string; headers?: Record<string, string> } = {}) =>
    server.json("/api/test/fine", { ...init, key: null, headers: { ...init.headers, origin } });
  for (const origin of ["https://evil.example.org", "null", "http://localhost:1", `${listed}.evil.org`]) {
    const { status, body } = await call(origin);
    expect([origin, status, body.code]).toEqual([origin, 403, "origin_not_allowed"]);
  }
  expect((await call(server.url)).status).toBe(200);
  expect((await call(server.url)).headers.get("access-control-allow-origin")).toBeNull();
  const allowed = await call(listed);
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, listed]);
  expect(allowed.headers.get("vary")).toContain("origin");
  const preflight = await call(listed, {
    method: "OPTIONS",
    headers: { "access-control-request-method": "POST" },
  });
  expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, listed]);
  expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
  expect((await call("https://evil.example.org", { method: "OPTIONS" })).status).toBe(403);
});

Deno.test("a handler that hangs is given up, and the server goes on", async () => {
  await using server = await startWithFailures({ settings: { request_timeout: "50ms" } });
  const answers = await Promise.all([server.json("/api/test/hang"), server.json("/api/test/hang")]);
  for (const { status, body } of answers) expect([status, body.code]).toEqual([503, "timeout"]);
  expect((await server.json("/api/test/fine")).status).toBe(200);
});

Deno.test("each request is observed by its template and noted without its query", async () => {
  await using server = await startWithFailures();
  await server.json("/api/test/items/7?limit=1");
  await server.json("/api/nowhere?ticket=secret");
  expect(server.observations).toEqual([
    { method: "GET", route: "/api/test/items/{id}", status: 200, seconds: expect.any(Number) },
    { method: "GET", route: undefined, status: 404, seconds: expect.any(Number) },
  ]);
  const noted = server.lines.filter(({ message }) => message === "request");
  expect(noted.map(({ properties }) => properties.path)).toEqual(["/api/test/items/7", "/api/nowhere"]);
  expect(JSON.stringify(noted)).not.toContain("secret");
});

Deno.test("a reverse proxy that is trusted says for whom it speaks", async () => {
  await using server = await TestServer.start({
    settings: { trusted_proxies: ["127.0.0.0/8"], rate_limits: { failed_keys_per_minute: 1 } },
  });
  const fail = (client: string) =>
    server.json("/api/keys", { key: "wrong", headers: { "x-forwarded-for": `8.8.8.8, ${client}` } });
  expect((await fail("203.0.113.1")).status).toBe(401);
  expect((await fail("203.0.113.1")).status).toBe(429);
  expect((await fail("203.0.113.2")).status).toBe(401);
});
