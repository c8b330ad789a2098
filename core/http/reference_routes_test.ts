import { createRoute, z } from "@hono/zod-openapi";
import { expect } from "expect";
import { TestServer } from "../../tests/support/http_test_server.ts";

Deno.test("the description holds every route with who may call it, and follows what is mounted", async () => {
  await using server = await TestServer.start();
  const app = server.http.newApp();
  app.openapi(
    createRoute({
      method: "post",
      path: "/api/things/{id}",
      request: { params: z.object({ id: z.string() }) },
      responses: {
        201: { description: "made" },
        404: { description: "no such thing" },
        503: { description: "busy", content: { "application/json": { schema: z.object({}) } } },
      },
    }),
    (c) => c.json({}, 201),
  );
  const unmount = server.http.mount({ name: "things", prefixes: ["/api/things"], app });
  const { body } = await server.json("/openapi.json", { key: null });
  expect(body.openapi).toBe("3.1.0");
  expect(body.info.version).toBe("1.2.3");
  expect(Object.keys(body.components.securitySchemes)).toEqual(["key", "ticket", "loopback"]);
  expect(body.paths["/api/things/{id}"].post.security).toEqual([{ key: ["write"] }]);
  expect(body.paths["/health/live"].get.security).toEqual([]);
  expect(body.paths["/openapi.json"].get.security).toEqual([{ key: ["read"] }, { loopback: [] }]);
  expect(body.paths["/api/keys"].post.security).toEqual([{ key: ["admin"] }]);
  for (const item of Object.values<Record<string, { responses: object }>>(body.paths)) {
    for (const { responses } of Object.values(item)) expect(responses).toHaveProperty("default");
  }
  const { responses } = body.paths["/api/things/{id}"].post;
  expect(responses[201].content).toBeUndefined();
  expect(responses[404]).toEqual({ description: "no such thing", content: responses.default.content });
  expect(Object.keys(responses[503].content)).toEqual(["application/json"]);
  await unmount();
  const after = await server.json("/openapi.json");
  expect(after.body.paths["/api/things/{id}"]).toBeUndefined();
});

Deno.test("the page at /docs names nothing outside, and may load nothing from there", async () => {
  await using server = await TestServer.start();
  const page = await server.fetch("/docs", { key: null });
  const html = await page.text();
  expect(page.headers.get("content-type")).toContain("text/html");
  expect(html).not.toMatch(/https?:|\/\/[a-z]/);
  const policy = page.headers.get("content-security-policy")!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
  for (const [, path] of html.matchAll(/src="([^"]+)"/g)) {
    for (const encoding of ["gzip", "identity"]) {
      const script = await server.fetch(path!, { key: null, headers: { "accept-encoding": encoding } });
      expect([path, script.status, script.headers.get("content-type")]).toEqual([
        path,
        200,
        "text/javascript; charset=utf-8",
      ]);
      expect(await script.text()).toContain("Scalar");
    }
  }
});

Deno.test("description and page need a key from anywhere else", async () => {
  await using server = await TestServer.start();
  for (const path of ["/", "/openapi.json", "/docs", "/docs/scalar.js", "/docs/start.js"]) {
    const response = await server.fetch(path, { key: null, headers: { "x-forwarded-for": "203.0.113.9" } });
    await response.body?.cancel();
    expect([path, response.status]).toEqual([path, 401]);
  }
});

Deno.test("who opens the agent in a browser of its host comes to the page", async () => {
  await using server = await TestServer.start();
  for (const key of [null, server.adminKey]) {
    const response = await server.fetch("/", { key });
    await response.body?.cancel();
    expect([response.status, response.headers.get("location")]).toEqual([302, "/docs"]);
  }
  expect((await server.json("/", { body: {} })).status).toBe(405);
  expect((await server.json("/nothing")).status).toBe(404);
});
