import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { busSettings } from "../../core/bus/settings.ts";
import { execSettings } from "../../core/exec/settings.ts";
import { httpSettings } from "../../core/http/settings.ts";
import { startKernel } from "../../core/kernel.ts";
import { getLogger } from "../../core/log.ts";
import type { MetricDescription } from "../../core/metrics.ts";
import { jobSettings } from "../../core/jobs/job_settings.ts";
import { fetchSettings } from "../../core/net/settings.ts";
import { definePlugin, type Host, type Plugin } from "../../core/plugin.ts";
import { storageSettings } from "../../core/storage/settings.ts";

/** One route as OpenAPI describes it. */
export interface DescribedRoute {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  /** Who may call it: `read`, `write or ticket`, `open` … */
  readonly access: string;
}

/** What an agent with every plugin on says about itself. */
export interface AgentDescription {
  readonly metrics: readonly MetricDescription[];
  readonly routes: readonly DescribedRoute[];
}

/** Starts a real agent with all plugins, in a folder that goes again, and asks it. */
export async function describeAgent(plugins: readonly Plugin[]): Promise<AgentDescription> {
  const dataDir = await mkdtemp(join(tmpdir(), "commandcenter-describe-"));
  let metrics: readonly MetricDescription[] = [];
  const observer = definePlugin({
    name: "observer",
    summary: "Looks at what the others declare",
    config: z.strictObject({}),
    prefixes: [],
    start: (host: Host) =>
      host.run("look", () => Promise.resolve(void (metrics = host.metrics.all.describe()))),
  });
  const kernel = await startKernel({
    configuration: {
      file: join(dataDir, "projects.yaml"),
      node: { name: "describe", dataDir },
      http: httpSettings.parse({ port: 0 }),
      bus: busSettings.parse({}),
      storage: storageSettings.parse({}),
      jobs: jobSettings.parse({}),
      fetch: fetchSettings.parse({}),
      exec: execSettings.parse({}),
      log: { level: "error", format: "json" },
      projects: [],
      plugins: [...plugins, observer].map((plugin) => ({ plugin, config: plugin.config.parse({}) })),
    },
    log: getLogger("describe"),
  });
  try {
    const key = (await readFile(kernel.adminKeyFile, "utf8")).trim();
    const answer = await fetch(`${kernel.url}/openapi.json`, { headers: { authorization: `Bearer ${key}` } });
    return { metrics, routes: routesOf(await answer.json()) };
  } finally {
    await kernel.stop();
    await rm(dataDir, { recursive: true });
  }
}

interface Operation {
  readonly summary?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
}

function routesOf(document: { paths: Record<string, Record<string, Operation>> }): DescribedRoute[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { summary = "", security }]) => ({
      method: method.toUpperCase(),
      path,
      summary,
      access: accessOf(security ?? [{ key: [method === "get" ? "read" : "write"] }]),
    }))
  );
}

function accessOf(security: NonNullable<Operation["security"]>): string {
  if (security.length === 0) return "open";
  return security.flatMap((entry) => Object.entries(entry))
    .map(([scheme, scopes]) => scheme === "key" ? scopes.join(", ") : scheme).join(" or ");
}
