import { expect } from "expect";
import { waitFor } from "../../tests/support/wait_for.ts";
import { systemClock } from "../clock.ts";
import type { Health } from "../health.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";

Deno.test("health: every check with status, latency and message; 503 only where a required one is down", async () => {
  const cases: [Record<string, [Health, boolean]>, number, string][] = [
    [{}, 200, "healthy"],
    [{ storage: [{ status: "up" }, true] }, 200, "healthy"],
    [
      { storage: [{ status: "up" }, true], bus: [{ status: "down", message: "gone" }, false] },
      200,
      "degraded",
    ],
    [{ storage: [{ status: "down", message: "gone" }, true] }, 503, "unhealthy"],
  ];
  for (const [checks, status, overall] of cases) {
    await using server = await TestServer.start();
    for (const [name, [health, required]] of Object.entries(checks)) {
      server.health.add(name, () => health, { required });
    }
    const answer = await server.json("/health", { key: null });
    expect([answer.status, answer.body.status]).toEqual([status, overall]);
    expect(answer.body.checks).toEqual(
      Object.entries(checks).map(([name, [health, required]]) => ({
        name,
        required,
        latency_ms: expect.any(Number),
        ...health,
      })),
    );
  }
});

Deno.test("health asks its checks once for many callers, and shows no credentials", async () => {
  await using server = await TestServer.start();
  let asked = 0;
  server.health.add("storage", () => {
    asked++;
    throw new Error("cannot reach postgres://me:hunter2@db/x");
  });
  const answers = await Promise.all(Array.from({ length: 50 }, () => server.json("/health", { key: null })));
  expect(asked).toBe(1);
  expect(answers[0]!.body.checks[0].message).toBe("cannot reach postgres://[redacted]@db/x");
});

Deno.test("a check that hangs is not asked again, however long ago that was", async () => {
  const offset = { ms: 0 };
  const clock = { ...systemClock, monotonic: () => performance.now() + offset.ms };
  await using server = await TestServer.start({ clock });
  const { promise, resolve } = Promise.withResolvers<Health>();
  let asked = 0;
  server.health.add("slow", () => {
    asked++;
    return promise;
  });
  const first = server.json("/health", { key: null });
  await waitFor(() => asked === 1, { what: "the check to be asked" });
  offset.ms = 1500;
  const second = server.json("/health", { key: null });
  await waitFor(() => server.started === 2, { what: "the second request" });
  resolve({ status: "up" });
  expect([(await first).status, (await second).status, asked]).toEqual([200, 200, 1]);
  offset.ms = 3000;
  await server.json("/health", { key: null });
  expect(asked).toBe(2);
});

Deno.test("live, ready and nats", async () => {
  await using server = await TestServer.start();
  const get = async (path: string) => {
    const { status, body } = await server.json(path, { key: null });
    return [status, body];
  };
  expect(await get("/health/live")).toEqual([200, { status: "live" }]);
  expect(await get("/health/ready")).toEqual([200, { status: "ready" }]);
  server.http.stopping();
  expect(await get("/health/ready")).toEqual([503, { status: "not_ready" }]);
  expect(await get("/health/nats")).toEqual([
    200,
    { kind: "nats", connected: true, url: "nats://[redacted]@bus:4222", reconnects: 2 },
  ]);
});
