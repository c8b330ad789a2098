import fc from "fast-check";

/** What is used here of a JSON schema, as OpenAPI 3.1 holds it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly example?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** Looks up a `$ref`. */
export type Resolve = (ref: string) => Schema;

/** Text that has broken programs before. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...[
      "",
      " ",
      "\0",
      "\ud800",
      "\udfff x",
      "\ufeff",
      "\u202e",
      "🧨",
      "é",
      "\r\n",
      "\n\n",
      "\x1b[2J",
      "\x7f",
    ],
    ...[
      "..",
      "../../../../etc/passwd",
      "/",
      "\\",
      ".",
      "a..b",
      ">",
      "*",
      "hub.>",
      "hub.*.>",
      "*.*",
      "a.>.b",
      "$SYS.>",
    ],
    ...[
      "__proto__",
      "constructor",
      "toString",
      "null",
      "undefined",
      "NaN",
      "Infinity",
      "-0",
      "true",
      "[object Object]",
    ],
    ...["0", "-1", "1.5", "1e400", "0x10", "9007199254740993", "99999999999999999999999999", "9".repeat(400)],
    ...[
      "' OR 1=1 --",
      '"; DROP TABLE event_store_event; --',
      "%",
      "_",
      "%00",
      "%ff",
      "%zz",
      "${env:HOME}",
      "{{7*7}}",
    ],
    ...["2026-01-01", "2026-99-99T99:99:99Z", "9999999999d", "0s", "-1h", "275760-09-13T00:00:00.001Z"],
    ...["a".repeat(5000), ".".repeat(300), "a.".repeat(200), "YXNjOjE", "asc:1", "ZGVzYzotMQ"],
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);

const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, -0, 1e308, Number.MAX_SAFE_INTEGER + 2, [], {}, [[
    [],
  ]]),
  fc.jsonValue({ maxDepth: 4 }),
);

/** Values that fit a schema, and now and then ones that do not, at any depth. */
export function randomValue(schema: Schema, resolve: Resolve): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 24, arbitrary: fitting(schema, resolve) }, {
    weight: 1,
    arbitrary: hostileValue,
  });
}

function fitting(schema: Schema, resolve: Resolve): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return fitting(resolve(schema.$ref), resolve);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return fc.oneof(...alternatives.map((each) => randomValue(each, resolve)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.example !== undefined) {
    return fc.oneof(fc.constant(schema.example), byType({ ...schema, example: undefined }, resolve));
  }
  return byType(schema, resolve);
}

function byType(schema: Schema, resolve: Resolve): fc.Arbitrary<unknown> {
  const types = typeof schema.type === "string" ? [schema.type] : schema.type ?? ["object"];
  return fc.oneof(...types.map((type) => ofType(type, { schema, resolve })));
}

function ofType(
  type: string,
  { schema, resolve }: { schema: Schema; resolve: Resolve },
): fc.Arbitrary<unknown> {
  const { minimum = 0, maximum = 1_000_000, items = {} } = schema;
  if (type === "integer") return fc.oneof(fc.constant(minimum), fc.integer({ min: minimum, max: maximum }));
  if (type === "number") return fc.double({ min: minimum, max: maximum });
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  if (type === "array") return fc.array(randomValue(items, resolve), { maxLength: 5 });
  return type === "string" ? text(schema) : record(schema, resolve);
}

function text({ pattern, format, minLength = 0, maxLength = 200 }: Schema): fc.Arbitrary<string> {
  if (format === "date-time") return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.oneof(
    fc.string({ minLength, maxLength: Math.min(maxLength, 200) }),
    fc.stringMatching(/^[a-z]{1,8}(\.[a-z]{1,8}){1,4}$/), // what most of our texts look like
  );
}

function record({ properties = {}, required = [] }: Schema, resolve: Resolve): fc.Arbitrary<unknown> {
  const names = Object.keys(properties);
  if (names.length === 0) {
    return fc.dictionary(fc.oneof({ weight: 30, arbitrary: fc.string() }, hostileText), fc.jsonValue(), {
      maxKeys: 4,
    });
  }
  const model = Object.fromEntries(names.map((name) => [name, randomValue(properties[name]!, resolve)]));
  const complete = fc.record(model, { requiredKeys: names.filter((name) => required.includes(name)) });
  const incomplete = fc.record(model, { requiredKeys: [] });
  const surplus = fc.tuple(complete, hostileText, hostileValue).map(([value, name, more]) => ({
    ...value,
    [name]: more,
  }));
  return fc.oneof({ weight: 8, arbitrary: complete }, incomplete, surplus);
}
