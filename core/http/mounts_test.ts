import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { expect } from "expect";
import { waitFor } from "../../tests/support/wait_for.ts";
import type { HttpEnv } from "./env.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";

function hello(server: TestServer, path: string, text = "hello"): OpenAPIHono<HttpEnv> {
  const app = server.http.newApp();
  app.openapi(
    createRoute({ method: "get", path, responses: { 200: { description: "" } } }),
    (c) => c.json({ text, key: c.env.principal?.name, correlation_id: c.env.correlationId }),
  );
  return app;
}

Deno.test("a part is stopped and started again while another keeps serving", async () => {
  await using server = await TestServer.start();
  const stopOne = server.http.mount({ name: "one", prefixes: ["/api/one"], app: hello(server, "/api/one") });
  server.http.mount({ name: "two", prefixes: ["/api/two"], app: hello(server, "/api/two") });
  const status = async (path: string, key?: null) => {
    const { status, body } = await server.json(path, key === undefined ? {} : { key });
    return [status, body.code ?? body.text];
  };
  let failures = 0;
  let running = true;
  const load = (async () => {
    while (running) if ((await status("/api/two"))[0] !== 200) failures++;
  })();
  expect(await status("/api/one")).toEqual([200, "hello"]);
  await stopOne();
  expect(await status("/api/one")).toEqual([503, "plugin_stopped"]);
  expect(await status("/api/one/below")).toEqual([503, "plugin_stopped"]);
  expect(await status("/api/one", null)).toEqual([401, "unauthorized"]);
  expect(await status("/api/onet")).toEqual([404, "not_found"]);
  const again = hello(server, "/api/one", "again");
  server.http.mount({ name: "one", prefixes: ["/api/one"], app: again });
  expect(await status("/api/one")).toEqual([200, "again"]);
  running = false;
  await load;
  expect(failures).toBe(0);
});

Deno.test("an unmount waits for the request in hand", async () => {
  await using server = await TestServer.start();
  const { promise, resolve } = Promise.withResolvers<Response>();
  let arrived = false;
  const app = server.http.newApp();
  app.openapi(
    createRoute({ method: "get", path: "/api/slow", responses: { 200: { description: "" } } }),
    () => {
      arrived = true;
      return promise;
    },
  );
  const stop = server.http.mount({ name: "slow", prefixes: ["/api/slow"], app });
  const answer = server.fetch("/api/slow");
  await waitFor(() => arrived, { what: "the request to arrive" });
  const order: string[] = [];
  const stopped = stop().then(() => order.push("stopped"));
  expect((await server.json("/api/slow")).body.code).toBe("plugin_stopped");
  order.push("answered");
  resolve(new Response("done"));
  expect(await (await answer).text()).toBe("done");
  await stopped;
  expect(order).toEqual(["answered", "stopped"]);
});

Deno.test("handlers find principal and correlation id", async () => {
  await using server = await TestServer.start();
  server.http.mount({ name: "one", prefixes: ["/api/one"], app: hello(server, "/api/one") });
  const { body } = await server.json("/api/one", { headers: { "x-correlation-id": "abc" } });
  expect(body).toEqual({ text: "hello", key: "admin@hub-test", correlation_id: "abc" });
});

Deno.test("what is not a part's own, or not described, is refused at mount", async () => {
  await using server = await TestServer.start();
  const mount = (prefixes: string[], routes: (app: OpenAPIHono<HttpEnv>) => unknown) => {
    const app = server.http.newApp();
    routes(app);
    return server.http.mount({ name: "new", prefixes, app });
  };
  const described = (path: string, more: object = {}) => (app: OpenAPIHono<HttpEnv>) =>
    app.openapi(
      createRoute({ method: "get", path, responses: { 200: { description: "" } }, ...more }),
      (c) => c.text(""),
    );
  mount(["/api/taken"], described("/api/taken/{id}"));
  const cases: [string[], (app: OpenAPIHono<HttpEnv>) => unknown, string][] = [
    [["/api/taken"], () => {}, 'Cannot mount "new": /api/taken overlaps /api/taken of "new"'],
    [["/api/taken/below"], () => {}, "overlaps /api/taken"],
    [["/api"], () => {}, "overlaps"],
    [["/health/mine"], () => {}, 'overlaps /health of "health"'],
    [["/docs"], () => {}, "overlaps"],
    [["/api/a", "/api/a/b"], () => {}, "lies below its own /api/a"],
    [["api/a"], () => {}, '"api/a" is no prefix'],
    [["/api/*"], () => {}, "is no prefix"],
    [["/api/a"], described("/api/ab"), "GET /api/ab lies outside of /api/a"],
    [
      ["/api/a"],
      described("/api/a", { method: "options" }),
      "OPTIONS /api/a is answered by the server itself",
    ],
    [["/api/a"], described("/api/a", { method: "trace" }), "TRACE /api/a is answered by the server itself"],
    [["/"], described("/"), 'Cannot mount "new": / overlaps / of "reference"'],
    [["/api/a"], (app) => app.get("/api/a", (c) => c.text("")), "GET /api/a is not described"],
    [["/api/a"], (app) => app.use("*", (_, next) => next()), "lies outside of /api/a"],
    [["/api/a"], described("/api/a", { security: [{ key: [] }] }), "a key needs exactly one scope"],
    [["/api/a"], described("/api/a", { security: [{ key: ["root"] }] }), "a key needs exactly one scope"],
    [["/api/a"], described("/api/a", { security: [{ key: ["read"], ticket: [] }] }), "joins schemes"],
    [["/api/a"], described("/api/a", { security: [{ key: ["read"] }, { key: ["admin"] }] }), "another key"],
    [["/api/a"], described("/api/a", { security: [{ ticket: [] }] }), "a ticket stands for a key"],
    [["/api/a"], described("/api/a", { security: [{ magic: [] }] }), "known are"],
    [["/api/a"], described("/api/a", { security: [{}] }), "known are"],
    [
      ["/api/a"],
      described("/api/a", { request: { query: z.object({ limit: z.json() }) } }),
      "a schema cannot be described",
    ],
    [
      ["/api/a"],
      described("/api/a", {
        responses: {
          200: { description: "", content: { "application/json": { schema: z.object({}).openapi("Key") } } },
        },
      }),
      'two parts mean different things by the schema "Key"',
    ],
  ];
  for (const [prefixes, routes, message] of cases) expect(() => mount(prefixes, routes)).toThrow(message);
  mount(["/api/a"], described("/api/a")); // and what failed has left nothing behind
  expect((await server.json("/api/a", { key: null })).status).toBe(401);
});

Deno.test("middleware runs for those who may call, and never answers for a route that nobody described", async () => {
  await using server = await TestServer.start();
  let calls = 0;
  const app = server.http.newApp();
  app.use("/api/one/*", async (_, next) => {
    calls++;
    await next();
  });
  app.openapi(
    createRoute({ method: "get", path: "/api/one/{id}", responses: { 200: { description: "" } } }),
    (c) => c.json({}),
  );
  server.http.mount({ name: "one", prefixes: ["/api/one"], app });
  expect((await server.json("/api/one/1", { key: null })).status).toBe(401);
  expect((await server.json("/api/one/1/2")).status).toBe(404);
  expect(calls).toBe(0);
  expect((await server.json("/api/one/1")).status).toBe(200);
  expect(calls).toBe(1);
});

Deno.test("a route added after the mount is refused aloud", async () => {
  await using server = await TestServer.start();
  const app = hello(server, "/api/one");
  server.http.mount({ name: "one", prefixes: ["/api/one"], app });
  expect(() => app.get("/api/one/late", (c) => c.text(""))).toThrow("matcher is already built");
});
