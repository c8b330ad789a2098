import { expect } from "expect";
import { TestServer } from "../../tests/support/http_test_server.ts";

Deno.test("wrong keys from one address are soon answered with 429, and valid ones never held up by that", async () => {
  await using server = await TestServer.start({ settings: { rate_limits: { failed_keys_per_minute: 3 } } });
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 5; attempt++) {
    const { status, headers } = await server.json("/openapi.json", { key: "wrong" });
    statuses.push(status);
    if (status === 429) expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    else expect(headers.get("www-authenticate")).toContain("Bearer");
  }
  expect(statuses).toEqual([401, 401, 401, 429, 429]);
  expect((await server.json("/openapi.json")).status).toBe(200);
});

Deno.test("a key has its own rate", async () => {
  await using server = await TestServer.start({
    settings: { rate_limits: { per_key: { per_second: 1, burst: 3 } } },
  });
  const { key } = await server.makeKey({ scopes: ["read"] });
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    statuses.push((await server.json("/openapi.json", { key })).status);
  }
  expect(statuses).toEqual([200, 200, 200, 429]);
  expect((await server.json("/openapi.json")).status).toBe(200);
});

Deno.test("an address has its own rate for requests without a key, and a valid key is not held up by it", async () => {
  await using server = await TestServer.start({
    settings: {
      trusted_proxies: ["127.0.0.0/8"],
      rate_limits: { per_address: { per_second: 1, burst: 3 } },
    },
  });
  const from = (address: string) => ({ key: null, headers: { "x-forwarded-for": address } });
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const { status, headers, body } = await server.json("/health/live", from("203.0.113.7"));
    statuses.push(status);
    if (status !== 429) continue;
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(body.code).toBe("too_many_requests");
  }
  expect(statuses).toEqual([200, 200, 200, 429]);
  expect((await server.json("/health/live", from("203.0.113.8"))).status).toBe(200);
  const { headers } = from("203.0.113.7");
  expect((await server.json("/openapi.json", { headers })).status).toBe(200);
});
