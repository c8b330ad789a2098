import { createRoute, z } from "@hono/zod-openapi";
import { expect } from "expect";
import fc from "fast-check";
import { Hono } from "hono";
import { waitFor } from "../../tests/support/wait_for.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";
import { Problem } from "../errors.ts";
import { receiveBody } from "./body.ts";
import type { HttpEnv } from "./env.ts";

function start(settings: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  return TestServer.start({
    ...settings,
    routes: (app) => {
      const route = {
        method: "post" as const,
        security: [] as Record<string, string[]>[],
        responses: { 200: { description: "" } },
      };
      const body = (schema: z.ZodType) => ({
        body: { required: true, content: { "application/json": { schema } } },
      });
      app.openapi(
        createRoute({ ...route, path: "/api/test/json", request: body(z.object({ name: z.string() })) }),
        (c) => c.json(c.req.valid("json") as object),
      );
      app.openapi(
        createRoute({ ...route, path: "/api/test/any", request: body(z.record(z.string(), z.unknown())) }),
        (c) => c.json(c.req.valid("json") as object),
      );
      app.openapi(
        createRoute({ ...route, path: "/api/test/big", request: body(z.unknown()), "x-max-body": 100_000 }),
        (c) => c.json({}),
      );
      app.openapi(
        createRoute({ ...route, path: "/api/test/raw" }),
        async (c) =>
          c.json({ bytes: (await c.req.arrayBuffer()).byteLength, text: (await c.req.text()).length }),
      );
    },
  });
}

Deno.test("JSON bodies: what is taken, and what each fault is answered with", async () => {
  await using server = await start();
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const cases: [string, string, BodyInit, number, string | undefined, string?][] = [
    ["fine", "json", '{"name":"x"}', 200, undefined],
    ["with charset", "json", '{"name":"x"}', 200, undefined, "application/json; charset=utf-8"],
    ["a subtype", "json", '{"name":"x"}', 200, undefined, "application/cloudevents+json"],
    ["not JSON", "json", '{"name":', 400, "malformed_body"],
    ["empty", "json", "", 400, "malformed_body"],
    ["garbage", "json", "\x01\x02", 400, "malformed_body"],
    ["not UTF-8", "json", new Uint8Array([123, 34, 0xff, 34, 125]), 400, "invalid_utf8"],
    ["overlong UTF-8", "json", new Uint8Array([34, 0xc0, 0xaf, 34]), 400, "invalid_utf8"],
    ["other type", "json", '{"name":"x"}', 415, "unsupported_media_type", "text/plain"],
    ["form", "json", "name=x", 415, "unsupported_media_type", "application/x-www-form-urlencoded"],
    ["wrong shape", "json", '{"name":1}', 422, "invalid_request"],
    ["an array", "json", "[]", 422, "invalid_request"],
    ["64 levels", "any", `{"a":${deep(63)}}`, 200, undefined],
    ["65 levels", "any", `{"a":${deep(64)}}`, 400, "json_too_deep"],
    ["brackets in text", "any", JSON.stringify({ a: '["\\'.repeat(200) }), 200, undefined],
    ["NUL", "any", '{"a":"x\\u0000"}', 400, "unstorable_text"],
    ["NUL in a name", "any", '{"x\\u0000":1}', 400, "unstorable_text"],
    ["written-out NUL", "any", '{"a":"\\\\u0000"}', 200, undefined],
    ["half a pair", "any", '{"a":["\\ud800"]}', 400, "unstorable_text"],
    ["a whole pair", "any", '{"a":"\\ud83d\\ude00"}', 200, undefined],
  ];
  for (const [what, path, body, status, code, type = "application/json"] of cases) {
    const response = await server.fetch(`/api/test/${path}`, {
      method: "POST",
      key: null,
      headers: { "content-type": type },
      body,
    });
    const answer = await response.json();
    expect([what, response.status, answer.code]).toEqual([what, status, code]);
  }
});

Deno.test("__proto__ in a body harms nobody", async () => {
  await using server = await start();
  const body = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a":1}';
  const answer = await server.json("/api/test/any", { body });
  expect(answer.status).toBe(200);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

Deno.test("the faults of a body are listed, but not without end", async () => {
  await using server = await start();
  const made = await server.json("/api/keys", {
    body: { name: "x".repeat(101), scopes: ["root"], projects: ["A B"] },
  });
  expect(made.body.errors.map(({ path }: { path: string }) => path)).toEqual([
    "body.name",
    "body.scopes.0",
    "body.projects.0",
  ]);
  const names = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`${index}`.repeat(200), 1]));
  const many = await server.json("/api/keys", {
    body: { name: "x", scopes: Array(1000).fill("root"), ...names },
  });
  expect(many.status).toBe(422);
  expect(many.body.errors.length).toBeLessThanOrEqual(20);
  expect(JSON.stringify(many.body).length).toBeLessThan(10_000);
});

Deno.test("too large a body is refused without being read: declared, chunked, and on raw routes", async () => {
  await using server = await start({ settings: { max_body: "10kb" } });
  const post = (path: string, body: BodyInit) =>
    server.fetch(`/api/test/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
  let sent = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 4096;
        controller.enqueue(new Uint8Array(4096).fill(32));
        if (sent > 200_000_000) controller.close();
      },
    });
  for (const path of ["json", "raw"]) {
    const declared = await post(path, " ".repeat(10_241));
    expect([path, declared.status, (await declared.json()).code]).toEqual([path, 413, "body_too_large"]);
    sent = 0;
    // The server answers in the middle of the upload; some clients only see the connection end.
    const answer = await post(path, endless()).then(async (response) => {
      await response.body?.cancel();
      return response.status;
    }, () => 413);
    expect([path, answer]).toEqual([path, 413]);
    expect(sent).toBeLessThan(50_000_000);
  }
  const exact = await post("raw", " ".repeat(10_240));
  expect(await exact.json()).toEqual({ bytes: 10_240, text: 10_240 });
  expect(await (await post("big", JSON.stringify("x".repeat(99_000)))).json()).toEqual({});
  expect(await post("big", " ".repeat(100_001)).then(async (response) => (await response.json()).status))
    .toBe(413);
});

Deno.test("a chunked body beyond the limit gets its 413 on the wire", async () => {
  await using server = await start({ settings: { max_body: "1kb" } });
  const chunk = `400\r\n${" ".repeat(1024)}\r\n`;
  const answer = await server.raw(
    "POST /api/test/raw HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}${chunk}${chunk}0\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('"code":"body_too_large"');
});

Deno.test("a body that comes too slowly is given up with 408", async () => {
  await using server = await start({ settings: { request_timeout: "50ms" } });
  const answer = await server.raw(
    "POST /api/test/json HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      'Content-Length: 100\r\nConnection: close\r\n\r\n{"name":',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(answer).toContain('"code":"body_timeout"');
  expect((await server.json("/api/test/json", { body: { name: "x" } })).status).toBe(200);
});

Deno.test("a body that breaks off is a fault of the request, not of the server", async () => {
  await using server = await start();
  for (const length of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
    const before = server.lines.length;
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(server.url).port) });
    const head = `POST /api/test/raw HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`;
    await connection.write(encode(`${head}${length.includes("chunked") ? "100\r\n" : ""}{"name":`));
    await waitFor(() => server.started > 0, { what: "the request to arrive" });
    connection.close(); // nobody is left to read the answer, so it is looked for in the log
    await waitFor(() => server.lines.length > before, { what: "the request to be noted" });
    expect(server.lines.at(-1)).toMatchObject({ level: "debug", properties: { status: 400 } });
    server.started = 0;
  }
});

Deno.test("the code of a body that breaks off, with a declared length and without: incomplete_body", async () => {
  const app = new Hono<HttpEnv>().post("/", receiveBody, (c) => c.body(null));
  app.onError((error, c) => c.text(error instanceof Problem ? `${error.status} ${error.code}` : "other"));
  for (const headers of [new Headers(), new Headers({ "content-length": "100" })]) {
    const body = new ReadableStream({ start: (controller) => controller.error(new Error("gone")) });
    const answer = await app.request("/", { method: "POST", headers, body }, { maxBodyBytes: 1000 });
    expect(await answer.text()).toBe("400 incomplete_body");
  }
});

Deno.test("any bytes whatever as a body: a 4xx or 200, never a 500", async () => {
  await using server = await start();
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.json().map(encode)), async (bytes) => {
      const response = await server.fetch("/api/test/any", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: bytes as Uint8Array<ArrayBuffer>,
      });
      await response.body?.cancel();
      expect(response.status).toBeLessThan(500);
    }),
    { numRuns: 200 },
  );
});

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
