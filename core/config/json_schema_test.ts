import { expect } from "expect";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { registry } from "../../plugins/registry.ts";
import { configurationJsonSchema } from "./json_schema.ts";
import { loadConfiguration } from "./load_config.ts";
import { loadAllPlugins } from "./plugin_registry.ts";
import { sampleRegistry } from "../../tests/support/sample_configuration.ts";
import { settingRows } from "./settings_table.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const examples = (await readdir(join(root, "config/examples"))).map((name) => `config/examples/${name}`);

/** What the examples expect to find on their host. */
const environment = { DATABASE_URL: "postgres://user:word@host/database" };
const secretFile = /^\/etc\/commandcenter\//;

for (const file of ["projects.yaml", ...examples]) {
  Deno.test(`${file} is accepted, by the agent and by editors`, async () => {
    const configuration = await loadConfiguration(join(root, file), {
      registry,
      env: environment,
      readFile: (path) =>
        secretFile.test(path) ? Promise.resolve(new TextEncoder().encode("x")) : readFile(path),
    });
    expect(configuration.plugins.map(({ plugin }) => plugin.name)).toEqual(["event-store", "metrics"]);

    const text = await readFile(join(root, file), "utf8");
    const [first = ""] = text.split("\n");
    const schema = new URL(
      first.replace(/^# yaml-language-server: \$schema=/, ""),
      `file://${join(root, file)}`,
    );
    const known = z.fromJSONSchema(JSON.parse(await readFile(schema, "utf8")));
    expect(known.safeParse(parse(text)).error?.issues).toBeUndefined();
  });
}

Deno.test("the schema for editors takes empty sections and placeholders, and refuses what the agent refuses", async () => {
  const written = JSON.stringify(configurationJsonSchema(await loadAllPlugins(sampleRegistry)));
  const schema = z.fromJSONSchema(JSON.parse(written));
  const accepts = (yaml: string) => schema.safeParse(parse(yaml)).success;
  const refused = [
    "log: {}",
    "plugins: { other: }",
    "plugins: { metrics: { x: 1 } }",
    "{ plugins: , extra: 1 }",
    "{ plugins: , http: { port: x } }",
    "{ plugins: , log: { level: loud } }",
    "{ plugins: , projects: [{ slug: a }] }",
    "plugins: { event-store: { feeds: [{ url: x, every: year }] } }",
  ];
  expect(refused.filter(accepts)).toEqual([]);
  const accepted = [
    "{ plugins: , http: , projects: , node: }",
    "{ plugins: , http: { port: '${env:PORT}' }, log: { level: '${file:level.txt}' } }",
    "plugins: { event-store: { strict: '${env:X}', batch_size: 5, feeds: [{ url: x, every: day }], target: { host: h } } }",
  ];
  expect(accepted.filter((yaml) => !accepts(yaml))).toEqual([]);
});

Deno.test("the rows of a table of settings: nested keys, types, ranges, defaults", () => {
  const schema = z.strictObject({
    name: z.string().describe("Who | what"),
    size: z.int().min(1).max(9).default(3).describe("How many"),
    inner: z.strictObject({ on: z.boolean().default(true), level: z.enum(["a", "b"]).optional() }).prefault(
      {},
    ),
    limit: z.strictObject({ rate: z.number().min(0).default(1.5) }).nullable().prefault({}).describe(
      "Or off",
    ),
    list: z.array(z.strictObject({ url: z.string() })).default([]),
  });
  expect(settingRows(schema).map(({ name, type, fallback }) => [name, type, fallback])).toEqual([
    ["name", "text", "required"],
    ["size", "whole number, 1 to 9", "`3`"],
    ["inner.on", "true or false", "`true`"],
    ["inner.level", "`a`, `b`", ""],
    ["limit", "mapping or null", "`{}`"],
    ["limit.rate", "number, at least 0", "`1.5`"],
    ["list", "list of mapping", "`[]`"],
    ["list[].url", "text", "required"],
  ]);
});
