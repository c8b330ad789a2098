import { expect } from "expect";
import { join } from "node:path";
import { z } from "zod";
import { loadPlugin } from "../../core/config/plugin_registry.ts";
import type { Plugin } from "../../core/plugin.ts";
import { registry } from "../../plugins/registry.ts";
import { testOnEveryStorage } from "../support/every_storage.ts";
import { startTestKernel } from "../support/test_kernel.ts";

const folder = join(import.meta.dirname!, "../../plugins");
const names = [...Deno.readDirSync(folder)].filter((entry) => entry.isDirectory).map((entry) => entry.name)
  .toSorted();
const plugins: readonly Plugin[] = await Promise.all(names.map((name) => loadPlugin(registry, name)));

/** Tables that the kernel and the migrators make for themselves. */
const bookkeeping = /_migration(_lock)?$/;

interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: unknown;
}

/** Paths of settings without a description, and of objects that would take an unknown key. */
function looseEnds(schema: JsonSchema, path: string): string[] {
  const own = schema.properties && schema.additionalProperties !== false
    ? [`${path} takes unknown keys`]
    : [];
  return own.concat(
    Object.entries(schema.properties ?? {}).flatMap(([key, value]) => [
      ...(value.description ? [] : [`${path}.${key} is not described`]),
      ...looseEnds(value, `${path}.${key}`),
    ]),
  );
}

Deno.test("every plugin folder is registered, and nothing else is", () => {
  expect(Object.keys(registry).toSorted()).toEqual(names);
});

Deno.test("no two plugins share a URL prefix, and none lies inside another", () => {
  const prefixes = plugins.flatMap((plugin) => plugin.prefixes);
  for (const one of prefixes) {
    expect(one).toMatch(/^(\/[a-z0-9-]+)+$/);
    expect(prefixes.filter((other) => `${other}/`.startsWith(`${one}/`))).toEqual([one]);
  }
});

for (const plugin of plugins) {
  Deno.test(`${plugin.name}: named after its folder, summed up, with a README`, async () => {
    expect(names[plugins.indexOf(plugin)]).toBe(plugin.name);
    expect(plugin.summary).toMatch(/^[A-Z].{10,}/);
    const readme = await Deno.readTextFile(join(folder, plugin.name, "README.md"));
    expect(readme).toContain(`# ${plugin.name}`);
  });

  Deno.test(`${plugin.name}: strict configuration, every key described, nothing needed`, () => {
    expect(plugin.config.safeParse({}).success).toBe(true);
    const schema = z.toJSONSchema(plugin.config, { io: "input", unrepresentable: "any" }) as JsonSchema;
    expect(looseEnds(schema, plugin.name)).toEqual([]);
  });

  Deno.test(`${plugin.name}: starts and stops twice on the same data without leaks`, async () => {
    const dataDir = await Deno.makeTempDir();
    for (let round = 0; round < 2; round++) {
      await using kernel = await startTestKernel({ plugins: [plugin], dataDir });
      const health = await kernel.fetch("/health");
      expect((await health.json()).status).toBe("healthy");
      await kernel.stopPlugin(plugin.name);
      await kernel.startPlugin(plugin.name);
    }
    await Deno.remove(dataDir, { recursive: true });
  });

  testOnEveryStorage(`${plugin.name}: migrates twice, and only tables of its own`, async (storage) => {
    await storage.migrate(plugin.name, plugin.migrations ?? {});
    await storage.migrate(plugin.name, plugin.migrations ?? {});
    const tables = await storage.tables().introspection.getTables();
    const prefix = `${plugin.name.replaceAll("-", "_")}_`;
    const foreign = tables.map((table) => table.name)
      .filter((name) => !bookkeeping.test(name) && !name.startsWith(prefix));
    expect(foreign).toEqual([]);
  });
}
