import { expect } from "expect";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { loadConfiguration } from "../../core/config/load_config.ts";
import { type Kernel, startKernel } from "../../core/kernel.ts";
import { getLogger } from "../../core/log.ts";
import type { Exposition } from "../../core/metrics.ts";
import { definePlugin } from "../../core/plugin.ts";
import { metricRows } from "./metric_rows.ts";
import { parseExposition } from "../../tests/support/parse_exposition.ts";
import { type MetricsSummary, summarySchema } from "./summary.ts";

interface Agent {
  readonly kernel: Kernel;
  /** All metrics, as a plugin sees them. */
  readonly metrics: Exposition;
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>;
}

/** A whole agent with this plugin on, and one that looks at the metrics. */
async function withAgent(test: (agent: Agent) => Promise<void>, settings = "{}"): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "metrics-plugin-"));
  opened.defer(() => rm(folder, { recursive: true }));
  const file = join(folder, "projects.yaml");
  await writeFile(
    file,
    `node: { data_dir: ./data }\nhttp: { port: 0 }\nplugins: { metrics: ${settings}, observer: {} }\n`,
  );
  let metrics: Exposition | undefined;
  const observer = definePlugin({
    name: "observer",
    summary: "Looks at the metrics",
    config: z.strictObject({}),
    prefixes: [],
    start: (host) => void (metrics = host.metrics.all),
  });
  const registry = {
    metrics: () => import("./plugin.ts"),
    observer: () => Promise.resolve({ default: observer }),
  };
  const kernel = await startKernel({
    configuration: await loadConfiguration(file, { registry, env: {} }),
    log: getLogger(),
  });
  opened.defer(() => kernel.stop());
  const key = (await readFile(kernel.adminKeyFile, "utf8")).trim();
  const get: Agent["get"] = (path, headers = { authorization: `Bearer ${key}` }) =>
    fetch(`${kernel.url}${path}`, { headers });
  await test({ kernel, metrics: metrics!, get });
}

Deno.test("a scrape from the same machine needs no key and keeps to the format", async () => {
  await withAgent(async ({ get }) => {
    await (await get("/api/metrics/summary")).body?.cancel();
    const families = parseExposition(await (await get("/metrics", {})).text(), "prometheus");
    const value = (name: string) => families.get(`commandcenter_${name}`)?.samples[0]?.value ?? NaN;
    expect(value("build_info")).toBe(1);
    expect(value("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(value("host_memory_available_bytes")).toBeLessThanOrEqual(value("host_memory_size_bytes"));
    expect(value("host_disk_available_bytes")).toBeLessThanOrEqual(value("host_disk_size_bytes"));
    expect(value("bus_connected")).toBe(1);
    expect(value("storage_size_bytes")).toBeGreaterThan(0);
    expect(value("http_requests_in_flight")).toBe(1);
    const routes = families.get("commandcenter_http_requests_total")?.samples.map(({ labels }) => labels);
    expect(routes).toEqual([{ method: "GET", route: "/api/metrics/summary", status: "200" }]);
    if (process.platform === "linux") {
      expect(value("process_open_fds")).toBeGreaterThan(3);
      expect(value("host_disk_written_bytes_total")).toBeGreaterThanOrEqual(0);
    }
  });
});

Deno.test("the summary keeps to its schema, lists only declared metrics, and needs a key", async () => {
  await withAgent(async ({ get, metrics }) => {
    const response = await get("/api/metrics/summary");
    expect(response.status).toBe(200);
    const summary: MetricsSummary = summarySchema.strict().parse(await response.json());
    expect(summary.host.cpus).toBeGreaterThan(0);
    expect(summary.process.uptime_seconds).toBeGreaterThan(0);
    expect(summary.events).toEqual({});
    const declared = new Set(metrics.describe().map((metric) => metric.name));
    const { events: _events, ...groups } = summarySchema.shape;
    const listed = Object.entries(groups).flatMap(([group, schema]) =>
      Object.keys(schema.shape).map((field) => `commandcenter_${group}_${field}`)
    );
    expect(listed.filter((name) => !declared.has(name))).toEqual([]);
    const refused = await get("/api/metrics/summary", {});
    expect(refused.status).toBe(401);
    await refused.body?.cancel();
  });
});

Deno.test("a key limited to projects sees neither the metrics nor the summary", async () => {
  await withAgent(async ({ kernel, get }) => {
    const admin = (await readFile(kernel.adminKeyFile, "utf8")).trim();
    const keyFor = async (projects: readonly string[] | null): Promise<Record<string, string>> => {
      const made = await fetch(`${kernel.url}/api/keys`, {
        method: "POST",
        headers: { authorization: `Bearer ${admin}`, "content-type": "application/json" },
        body: JSON.stringify({ name: "reader", scopes: ["read"], ...(projects ? { projects } : {}) }),
      });
      expect(made.status).toBe(201);
      return { authorization: `Bearer ${(await made.json()).key}` };
    };
    const [limited, unlimited] = [await keyFor(["a"]), await keyFor(null)];
    for (const path of ["/metrics", "/api/metrics/summary"]) {
      const refused = await get(path, limited);
      expect([path, refused.status, (await refused.json()).code]).toEqual([path, 403, "project_forbidden"]);
      const answered = await get(path, unlimited);
      expect([path, answered.status]).toEqual([path, 200]);
      await answered.body?.cancel();
    }
  });
});

Deno.test("stopped and started again it declares everything anew", async () => {
  await withAgent(async ({ kernel, metrics }) => {
    const before = metrics.describe();
    await kernel.stopPlugin("metrics");
    expect(metrics.describe().filter((metric) => metric.owner === "metrics")).toEqual([]);
    await kernel.startPlugin("metrics");
    expect(metrics.describe()).toEqual(before);
  });
});

Deno.test("host: false leaves the host alone", async () => {
  await withAgent(({ metrics }) => {
    expect(metrics.describe().filter(({ name }) => name.startsWith("commandcenter_host_"))).toEqual([]);
    return Promise.resolve();
  }, "{ host: false }");
});

Deno.test("README lists exactly the metrics of the kernel and of this plugin", async () => {
  await withAgent(async ({ metrics }) => {
    const folder = dirname(fileURLToPath(import.meta.url));
    const text = await readFile(join(folder, "README.md"), "utf8");
    const section = text.split("<!-- generated:metrics -->")[1] ?? "";
    const rows = section.split("\n").filter((line) => line.startsWith("| `"))
      .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
    expect(rows).toEqual(metricRows(metrics.describe(), ["kernel", "metrics"]));
  });
});
