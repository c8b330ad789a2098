import { expect } from "expect";
import type { RequestListener } from "node:http";
import { openTestFetch, outcomeOf, serveHttp, serveRaw } from "../../tests/support/outgoing_server.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { backoffMs, retryAfterMs } from "./retry.ts";

/** Answers with these statuses one after the other, the last one for good. */
function inTurn(...statuses: number[]): RequestListener {
  let next = 0;
  return (_, response) => response.writeHead(statuses[Math.min(next++, statuses.length - 1)]!).end("x");
}

interface Case {
  readonly statuses: readonly number[];
  readonly init?: RequestInit & { retries?: number };
  readonly status: number;
  readonly requests: number;
}

const cases: Readonly<Record<string, Case>> = {
  "503 and then 200": { statuses: [503, 200], status: 200, requests: 2 },
  "429, 502 and then 200": { statuses: [429, 502, 200], status: 200, requests: 3 },
  "504 for good": { statuses: [504], status: 504, requests: 3 },
  "500 is no passing fault": { statuses: [500, 200], status: 500, requests: 1 },
  "404 neither": { statuses: [404, 200], status: 404, requests: 1 },
  "POST is sent once": { statuses: [503, 200], init: { method: "POST" }, status: 503, requests: 1 },
  "PATCH is sent once": { statuses: [503, 200], init: { method: "PATCH" }, status: 503, requests: 1 },
  "POST with an Idempotency-Key": {
    statuses: [503, 200],
    init: { method: "POST", body: "x", headers: { "Idempotency-Key": "1" } },
    status: 200,
    requests: 2,
  },
  "PUT with a body": { statuses: [503, 200], init: { method: "PUT", body: "x" }, status: 200, requests: 2 },
  "a call without retries": { statuses: [503, 200], init: { retries: 0 }, status: 503, requests: 1 },
  "no more than configured": { statuses: [503], init: { retries: 9 }, status: 503, requests: 3 },
};

for (const [title, { statuses, init = {}, status, requests }] of Object.entries(cases)) {
  Deno.test(`retries: ${title}`, async () => {
    await using server = await serveHttp(inTurn(...statuses));
    await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
    const response = await fetch(server.url, init);
    await response.text();
    expect([response.status, server.requests.length]).toEqual([status, requests]);
  });
}

Deno.test("a connection that breaks: what is safe is sent again, the rest is not", async () => {
  for (const [method, connections] of [["GET", 3], ["POST", 1]] as const) {
    await using server = await serveRaw((socket) => socket.destroy());
    await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
    const error = await fetch(server.url, { method }).catch((error) => error);
    expect(error).toMatchObject({ code: "connection", sent: true });
    expect([method, server.connections]).toEqual([method, connections]);
  }
});

Deno.test("redirects do not renew the retries", async () => {
  await using server = await serveHttp((request, response) => {
    if (server.requests.length % 2 === 1) response.writeHead(503).end();
    else response.writeHead(302, { location: request.url! }).end();
  });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  expect((await fetch(server.url)).status).toBe(503);
  expect(server.requests).toHaveLength(5); // 503 again 302, 503 again 302, 503
});

Deno.test("Retry-After holds for the retry and for everybody else", async () => {
  const times: number[] = [];
  await using server = await serveHttp((_, response) => {
    times.push(performance.now());
    if (times.length === 1) response.writeHead(503, { "retry-after": "1" }).end();
    else response.end("x");
  });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  const first = fetch(server.url);
  await waitFor(() => times.length === 1, { what: "the first request" });
  expect([await outcomeOf(fetch(server.url)), await outcomeOf(first)]).toEqual(["ok", "ok"]);
  expect(times).toHaveLength(3);
  for (const time of times.slice(1)) expect(time - times[0]!).toBeGreaterThanOrEqual(990);
});

Deno.test("a pause too long to wait for is told: by the answer first, by an error from then on", async () => {
  await using server = await serveHttp((_, response) =>
    response.writeHead(429, { "retry-after": "120" }).end("x")
  );
  await using other = await serveHttp((_, response) => response.end("x"));
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  const response = await fetch(server.url);
  await response.text();
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "120"]);
  const error = await fetch(server.url).catch((error) => error);
  expect(error).toMatchObject({ code: "rate_limited" });
  expect(error.retryAfterMs).toBeGreaterThan(119_000);
  expect(server.requests).toHaveLength(1);
  expect(await outcomeOf(fetch(other.url))).toBe("ok");
});

Deno.test("Retry-After in seconds, as a date, in the past, out of bounds, for other statuses", () => {
  const now = Date.UTC(2030, 0, 1);
  const asked = (text: string | undefined, status = 503) =>
    retryAfterMs({ status, headers: new Headers(text === undefined ? {} : { "retry-after": text }) }, now);
  expect(asked("3")).toBe(3000);
  expect(asked(" 0 ")).toBe(0);
  expect(asked("Tue, 01 Jan 2030 00:01:00 GMT")).toBe(60_000);
  expect(asked("Mon, 01 Jan 2029 00:00:00 GMT")).toBe(0);
  expect(asked("9999999999")).toBe(3_600_000);
  expect(asked("3", 429)).toBe(3000);
  for (const text of ["soon", "-1x", "", undefined]) expect([text, asked(text)]).toEqual([text, undefined]);
  expect(asked("3", 200)).toBeUndefined();
});

Deno.test("pauses double, with luck in them, up to half a minute", () => {
  const longest = (attempt: number) => backoffMs(attempt, { baseMs: 500, random: () => 1 });
  expect([0, 1, 2, 6, 20].map(longest)).toEqual([500, 1000, 2000, 30_000, 30_000]);
  expect(backoffMs(3, { baseMs: 500, random: () => 0 })).toBe(0);
});
