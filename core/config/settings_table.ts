import type { z } from "zod";
import { inputSchema, type JsonSchema } from "./json_schema.ts";

/** One setting, as README shows it. */
export interface SettingRow {
  readonly name: string;
  readonly type: string;
  /** What counts when it is left out, or that it must not be. */
  readonly fallback: string;
  readonly description: string;
}

/** Every setting of `schema`, nested ones by their path below `path`, in the order of the schema. */
export function settingRows(schema: z.ZodType, path = ""): SettingRow[] {
  return rowsOf(inputSchema(schema), { path, required: false });
}

function rowsInside(shape: JsonSchema, path: string): SettingRow[] {
  const required = new Set(shape.required ?? []);
  return Object.entries(shape.properties ?? {}).flatMap(([key, inner]) =>
    rowsOf(inner, { path: path === "" ? key : `${path}.${key}`, required: required.has(key) })
  );
}

function rowsOf(shape: JsonSchema, { path, required }: { path: string; required: boolean }): SettingRow[] {
  if (shape.properties) return rowsInside(shape, path);
  const nested = (shape.anyOf ?? []).flatMap((one) => rowsInside(one, path));
  const items = shape.items ? rowsInside(shape.items, `${path}[]`) : [];
  return [
    {
      name: path,
      type: typeText(shape),
      fallback: required
        ? "required"
        : shape.default === undefined
        ? ""
        : `\`${JSON.stringify(shape.default)}\``,
      description: shape.description ?? "",
    },
    ...nested,
    ...items,
  ];
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
  object: "mapping",
};

function typeText(shape: JsonSchema): string {
  if (shape.enum) return shape.enum.map((value) => `\`${value}\``).join(", ");
  const alternatives = shape.anyOf ?? shape.oneOf;
  if (alternatives) return alternatives.map(typeText).join(" or ");
  if (shape.items) return `list of ${typeText(shape.items)}`;
  const name = typeof shape.type === "string" ? typeNames[shape.type] ?? shape.type : "anything";
  return `${name}${rangeText(shape)}`;
}

function rangeText({ minimum, maximum }: JsonSchema): string {
  const least = minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}`;
  if (least !== undefined) return `, at least ${least}`;
  return most === undefined ? "" : `, at most ${most}`;
}
