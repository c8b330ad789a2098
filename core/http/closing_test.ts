import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { expect } from "expect";
import { waitFor } from "../../tests/support/wait_for.ts";
import type { HttpEnv } from "./env.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";

const open = { security: [] as Record<string, string[]>[], responses: { 200: { description: "" } } };

function get(app: OpenAPIHono<HttpEnv>, path: string, handler: () => Promise<Response>): void {
  app.openapi(createRoute({ ...open, method: "get", path: `/api/test/${path}` }), handler);
}

function startWithStream(cancelled: () => void): Promise<TestServer> {
  const events = { 200: { description: "", content: { "text/event-stream": { schema: z.string() } } } };
  return TestServer.start({
    routes: (app) => {
      for (const heeds of [true, false]) {
        const path = `/api/test/${heeds ? "heeding" : "deaf"}`;
        app.openapi(createRoute({ ...open, method: "get", path, responses: events }), (c) => {
          const body = new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode("data: 1\n\n"));
              if (heeds) c.env.closing.addEventListener("abort", () => controller.close());
            },
            cancel: cancelled,
          });
          return c.body(body, 200, { "content-type": "text/event-stream" });
        });
      }
    },
  });
}

Deno.test("closing lets a stream end that heeds the signal", async () => {
  await using server = await startWithStream(() => {});
  const response = await server.fetch("/api/test/heeding");
  const reading = response.text();
  await server.http.close();
  expect(await reading).toBe("data: 1\n\n");
});

Deno.test("closing cuts a stream that does not, and is soon done", async () => {
  let cancelled = false;
  await using server = await startWithStream(() => cancelled = true);
  const response = await server.fetch("/api/test/deaf");
  const reading = response.text().then(() => "ended", () => "cut");
  const before = performance.now();
  await server.http.close();
  expect(performance.now() - before).toBeLessThan(4000);
  expect(await reading).toBe("cut");
  await waitFor(() => cancelled, { what: "the handler to learn of it" });
});

Deno.test("closing waits for the requests in hand and refuses further ones", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  let arrived = false;
  await using server = await TestServer.start({
    routes: (app) =>
      get(app, "slow", () => {
        arrived = true;
        return promise;
      }),
  });
  const slow = server.fetch("/api/test/slow", { key: null });
  await waitFor(() => arrived, { what: "the request to arrive" });
  const closed = server.http.close();
  expect((await server.json("/health/ready", { key: null })).status).toBe(503);
  expect((await server.json("/health/live", { key: null })).status).toBe(200);
  expect((await server.json("/openapi.json")).body.code).toBe("stopping");
  expect((await server.json("/api/test/slow", { key: null })).body.code).toBe("stopping");
  resolve(new Response("done"));
  expect(await (await slow).text()).toBe("done");
  await closed;
});
