import { z } from "zod";
import { ConfigurationError } from "../../core/errors.ts";
import { definePlugin } from "../../core/plugin.ts";
import { secretText } from "../../core/secret.ts";
import { durationMs } from "../../core/units.ts";
import { type Configuration, loadConfiguration } from "../../core/config/load_config.ts";
import type { PluginRegistry } from "../../core/config/plugin_registry.ts";

const journal = definePlugin({
  name: "event-store",
  summary: "Keeps events",
  prefixes: [],
  config: z.strictObject({
    retention: durationMs({ min: 1000 }).prefault("7d"),
    batch_size: z.int().min(1).default(64),
    strict: z.boolean().default(true),
    token: secretText().optional(),
    feeds: z.array(z.strictObject({ url: z.string().min(1), every: z.enum(["hour", "day"]) })).default([]),
    target: z.union([z.string(), z.strictObject({ host: z.string() })]).optional(),
    labels: z.record(z.string().regex(/^[a-z]+$/), z.string()).default({}),
    mirror: z.string().optional(),
  }).refine(({ target, mirror }) => mirror === undefined || mirror === target, {
    path: ["mirror"],
    error: ({ input }) => `has to be ${(input as { target?: unknown }).target}`, // repeats another value
  }),
  start: () => {},
});

const metrics = definePlugin({
  name: "metrics",
  summary: "Counts",
  prefixes: ["/metrics"],
  config: z.strictObject({}),
  start: () => {},
});

/** Two small plugins, with settings of every kind. */
export const sampleRegistry: PluginRegistry = {
  "event-store": () => Promise.resolve({ default: journal }),
  metrics: () => Promise.resolve({ default: metrics }),
};

/** The environment of the samples. */
export const sampleEnvironment = {
  PORT: "9100",
  WORD: "seven-secret-words",
  FLAG: "false",
  SPLIT: "a: 1\nb: [2]",
  EMPTY: "",
  LEVEL: "debug",
};

/** Absolute path -> content. */
interface Files {
  readonly [path: string]: string | Uint8Array;
}

/** Loads `text` as `projects.yaml`, beside `files` (absolute path -> content) and nothing else. */
export function loadSample(text: string | Uint8Array, files: Files = {}): Promise<Configuration> {
  const all: Files = { [`${Deno.cwd()}/projects.yaml`]: text, ...files };
  return loadConfiguration("projects.yaml", {
    registry: sampleRegistry,
    env: sampleEnvironment,
    readFile: (path) => {
      const content = all[path];
      if (content === undefined) return Promise.reject(Object.assign(new Error("gone"), { code: "ENOENT" }));
      return Promise.resolve(typeof content === "string" ? new TextEncoder().encode(content) : content);
    },
  });
}

/** The lines with which `text` is refused; none where it is accepted. */
export async function faultLines(text: string | Uint8Array): Promise<readonly string[]> {
  try {
    await loadSample(text);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.lines;
    throw error;
  }
  return [];
}
