import { OpenAPIHono } from "@hono/zod-openapi";
import { expect } from "expect";
import type { HttpEnv } from "../../core/http/env.ts";
import { Metrics } from "../../core/metrics.ts";
import { parseExposition } from "../../tests/support/parse_exposition.ts";
import { addRoutes } from "./routes.ts";

function setup(): { metrics: Metrics; http: OpenAPIHono<HttpEnv> } {
  const metrics = new Metrics();
  const http = new OpenAPIHono<HttpEnv>();
  addRoutes(http, metrics);
  return { metrics, http };
}

Deno.test("GET /metrics answers in the Prometheus text format", async () => {
  const { http } = setup();
  const response = await http.request("/metrics", {}, {});
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(response.headers.get("vary")).toBe("Accept");
  parseExposition(await response.text(), "prometheus");
});

Deno.test("GET /metrics answers in OpenMetrics where Accept asks for it", async () => {
  const { http } = setup();
  const accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
  const response = await http.request("/metrics", { headers: { accept } }, {});
  const contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8";
  expect(response.headers.get("content-type")).toBe(contentType);
  parseExposition(await response.text(), "openmetrics");
});

Deno.test("both routes say who may call them", () => {
  const { http } = setup();
  const document = http.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "test", version: "1" } });
  expect(document.paths?.["/metrics"]?.get?.security).toEqual([{ key: ["read"] }, { loopback: [] }]);
  expect(document.paths?.["/api/metrics/summary"]?.get?.security).toEqual([{ key: ["read"] }]);
});

Deno.test("GET /api/metrics/summary groups, and says null where nothing is known", async () => {
  const { metrics, http } = setup();
  const { counter, gauge, histogram } = metrics.forPlugin("demo");
  const network = counter({
    name: "commandcenter_host_network_receive_bytes_total",
    help: "A",
    labels: ["device"],
  });
  for (const device of ["eth0", "eth1"]) network.labels({ device }).inc(50);
  counter({ name: "commandcenter_bus_failures_total", help: "A", labels: ["reason"] });
  counter({
    name: "commandcenter_host_disk_read_bytes_total",
    help: "A",
    labels: ["device"],
    collect: () => [],
  });
  gauge({ name: "commandcenter_bus_probe_seconds", help: "A", collect: () => undefined });
  histogram({ name: "commandcenter_http_request_duration_seconds", help: "A" }).observe(0.01);
  counter({ name: "commandcenter_events_appended_total", help: "A" }).inc(4);
  const response = await http.request("/api/metrics/summary", {}, {});
  expect(response.status).toBe(200);
  const summary = await response.json();
  expect(summary.host.network_receive_bytes_total).toBe(100);
  expect(summary.host.disk_read_bytes_total).toBeNull();
  expect(summary.host.cpus).toBeNull();
  expect(summary.bus.failures_total).toBe(0);
  expect(summary.bus.probe_seconds).toBeNull();
  expect(summary.http.request_duration_seconds).toMatchObject({ count: 1, mean: 0.01 });
  expect(summary.events).toEqual({ appended_total: 4 });
});
