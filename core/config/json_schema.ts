import { z } from "zod";
import type { Plugin } from "../plugin.ts";
import { sections } from "./sections.ts";

/** As much of JSON Schema as zod writes for settings. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly $ref?: string;
}

/** JSON Schema of what may be written for `schema`, before any of it is parsed. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return shape as JsonSchema;
}

/** JSON Schema (2020-12) of the whole configuration file with these plugins, for editors. */
export function configurationJsonSchema(plugins: readonly Plugin[]): object {
  const kernel = Object.entries(sections).map(([name, schema]) => [name, section(inputSchema(schema))]);
  const chosen = plugins.map(({ name, summary, config }) => {
    return [name, section({ ...inputSchema(config), description: summary })];
  });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "CommandCenter configuration",
    type: "object",
    properties: {
      ...Object.fromEntries(kernel),
      plugins: {
        description: "What runs: a key that is present is on; {} or nothing behind it means its defaults",
        type: ["object", "null"],
        properties: Object.fromEntries(chosen),
        additionalProperties: false,
      },
    },
    required: ["plugins"],
    additionalProperties: false,
    $defs: {
      placeholder: {
        description: "Filled in at the start: ${env:NAME} or ${file:PATH}",
        type: "string",
        pattern: "\\$\\{(env|file):[^{}]+\\}",
      },
    },
  };
}

/** A section may be left empty, and each of its values may be a placeholder. */
function section(shape: JsonSchema): JsonSchema {
  const { type, default: _, ...rest } = fillable(shape);
  return { ...rest, type: typeof type === "string" ? [type, "null"] : ["object", "null"] };
}

function fillable(shape: JsonSchema): JsonSchema {
  if (isConstrained(shape)) {
    const { description, default: value, ...constraints } = shape;
    return {
      ...(description === undefined ? {} : { description }),
      ...(value === undefined ? {} : { default: value }),
      anyOf: [constraints, { $ref: "#/$defs/placeholder" }],
    };
  }
  const { properties, items, additionalProperties, anyOf, oneOf } = shape;
  return {
    ...shape,
    ...(properties && { properties: mapValues(properties, fillable) }),
    ...(items && { items: fillable(items) }),
    ...(typeof additionalProperties === "object" && { additionalProperties: fillable(additionalProperties) }),
    ...(anyOf && { anyOf: anyOf.map(fillable) }),
    ...(oneOf && { oneOf: oneOf.map(fillable) }),
  };
}

/** A value that text such as `${env:PORT}` would not fit by itself. */
function isConstrained(shape: JsonSchema): boolean {
  if (shape.enum || shape.const !== undefined) return true;
  if (shape.type === "string") {
    const { pattern, format, minLength, maxLength } = shape;
    return [pattern, format, minLength, maxLength].some((rule) => rule !== undefined);
  }
  return shape.type === "number" || shape.type === "integer" || shape.type === "boolean";
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
