import { expect } from "expect";
import { registry } from "../../plugins/registry.ts";
import { inputSchema, type JsonSchema } from "./json_schema.ts";
import { loadAllPlugins } from "./plugin_registry.ts";
import { sections } from "./sections.ts";

const secretName = /pass(word|phrase)|secret|token|credential|nkey|seed|salt|(^|_|api)key$|dsn/i;
/** Settings with such a name that hold nothing to hide, each with the reason. */
const harmless: readonly string[] = [
  "http.rate_limits.per_key", // a limit for each key
];

interface Setting {
  readonly path: string;
  readonly shape: JsonSchema & { readonly writeOnly?: boolean };
}

function* settingsOf(shape: JsonSchema, path: string): Generator<Setting> {
  yield { path, shape };
  for (const [key, inner] of Object.entries(shape.properties ?? {})) {
    yield* settingsOf(inner, `${path}.${key}`);
  }
  for (const inner of [...shape.anyOf ?? [], ...shape.oneOf ?? []]) yield* settingsOf(inner, path);
  if (shape.items) yield* settingsOf(shape.items, `${path}[]`);
}

const plugins = await loadAllPlugins(registry);
const all = [
  ...Object.entries(sections),
  ...plugins.map((plugin) => [`plugins.${plugin.name}`, plugin.config] as const),
].flatMap(([name, schema]) => [...settingsOf(inputSchema(schema), name)]);

Deno.test("every setting with a name like a secret's is a Secret", () => {
  const suspects = all.filter(({ path, shape }) =>
    secretName.test(path.split(".").at(-1)!) && !shape.properties
  );
  const secrets = suspects.filter(({ shape }) => shape.writeOnly === true).map(({ path }) => path);
  expect(secrets).toEqual(
    expect.arrayContaining(["bus.password", "bus.nkey", "bus.tls.key", "fetch.proxy.password"]),
  );
  const open = suspects.map(({ path }) => path).filter((path) =>
    !secrets.includes(path) && !harmless.includes(path)
  );
  expect(open).toEqual([]);
});

Deno.test("no setting that is a Secret has a default or a shape that would be shown", () => {
  for (const { path, shape } of all.filter(({ shape }) => shape.writeOnly)) {
    expect([path, shape.default, shape.pattern, shape.enum]).toEqual([path, undefined, undefined, undefined]);
  }
});
