import { z } from "zod";
import type { ConfigPath } from "./config_path.ts";

interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
}

/** Made once for all the unknown keys of a file. */
const shapesBySchema = new WeakMap<z.ZodType, Shape>();

/** The keys that `schema` allows in the mapping at `path`. */
export function knownKeys(schema: z.ZodType, path: ConfigPath): string[] {
  let shapes = alternatives(shapeOf(schema));
  for (const step of path) shapes = shapes.flatMap((shape) => inside(shape, step)).flatMap(alternatives);
  return [...new Set(shapes.flatMap((shape) => Object.keys(shape.properties ?? {})))];
}

function shapeOf(schema: z.ZodType): Shape {
  const known = shapesBySchema.get(schema);
  if (known) return known;
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Shape;
  shapesBySchema.set(schema, shape);
  return shape;
}

function alternatives(shape: Shape): Shape[] {
  const others = [...shape.anyOf ?? [], ...shape.oneOf ?? [], ...shape.allOf ?? []];
  return [shape, ...others.flatMap(alternatives)];
}

function inside(shape: Shape, step: string | number): Shape[] {
  if (typeof step === "number") return shape.items ? [shape.items] : [];
  const { properties = {}, additionalProperties } = shape;
  if (Object.hasOwn(properties, step)) return [properties[step]!];
  return typeof additionalProperties === "object" ? [additionalProperties] : [];
}
