import { expect } from "expect";
import { declareHttpMetrics } from "./http_metrics.ts";
import { Metrics } from "./metrics.ts";

async function read(metrics: Metrics): Promise<Record<string, unknown[]>> {
  const snapshot = await metrics.snapshot();
  return Object.fromEntries(snapshot.map(({ name, samples }) => [
    name.replace("commandcenter_http_", ""),
    samples.map(({ labels, value, histogram }) => [...Object.values(labels), histogram?.count ?? value]),
  ]));
}

Deno.test("answers are counted by method, route template and status", async () => {
  const metrics = new Metrics();
  const { observeHttp } = declareHttpMetrics(metrics.forKernel());
  const route = "/api/events/{id}";
  observeHttp({ method: "GET", route, status: 200, seconds: 0.001 });
  observeHttp({ method: "GET", route, status: 200, seconds: 0.003 });
  observeHttp({ method: "GET", route, status: 404, seconds: 0.002 });
  observeHttp({ method: "BREW", status: 405, seconds: 0 });
  const { requests_total, request_duration_seconds } = await read(metrics);
  expect(requests_total).toEqual([
    ["GET", route, "200", 2],
    ["GET", route, "404", 1],
    ["other", "unmatched", "405", 1],
  ]);
  expect(request_duration_seconds).toEqual([["GET", route, 3], ["other", "unmatched", 1]]);
});

Deno.test("requests in flight go up and down", async () => {
  const metrics = new Metrics();
  const { requestStarted, observeHttp } = declareHttpMetrics(metrics.forKernel());
  requestStarted();
  requestStarted();
  observeHttp({ method: "GET", status: 200, seconds: 0 });
  expect((await read(metrics)).requests_in_flight).toEqual([[1]]);
});

Deno.test("raw paths as routes stay bounded all the same", async () => {
  const metrics = new Metrics();
  const { observeHttp } = declareHttpMetrics(metrics.forKernel());
  for (let path = 0; path < 3000; path++) {
    observeHttp({ method: "GET", route: `/${path}`, status: 200, seconds: 0 });
  }
  const { requests_total, request_duration_seconds } = await read(metrics);
  expect(requests_total?.length).toBe(2001);
  expect(request_duration_seconds?.length).toBe(501);
  expect(requests_total?.at(-1)).toEqual(["other", "other", "other", 1000]);
});
