import fc from "fast-check";
import { hostileText, randomValue, type Resolve, type Schema } from "./random_values.ts";

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
}

/** The parts of an OpenAPI 3.1 document from which requests are drawn. */
export interface ApiDescription {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** A request, ready for `fetch`. */
export interface RandomRequest {
  readonly method: string;
  /** Path with query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Requests for every operation of the API: most of them well-formed, many of them wrong in one place or another. */
export function randomRequest(description: ApiDescription, key: string): fc.Arbitrary<RandomRequest> {
  const resolve: Resolve = (ref) => description.components.schemas[ref.split("/").at(-1)!]!;
  const operations = operationsOf(description);
  if (operations.length === 0) {
    throw new Error(`Cannot draw requests from "openapi.json": it has no operations`);
  }
  return fc.oneof(...operations.map((operation) => ({
    weight: operation.body || operation.parameters.length > 0 ? 4 : 1, // where there is more to get wrong
    arbitrary: fc.record({
      method: methodOf(operation),
      target: target(operation, resolve),
      headers: headers(operation, key),
      body: body(operation, resolve),
    }).map(fetchable),
  })));
}

function operationsOf({ paths }: ApiDescription): Operation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const { parameters = [], requestBody } = operation as {
        parameters?: Parameter[];
        requestBody?: { content: Record<string, { schema: Schema }> };
      };
      const schema = requestBody?.content["application/json"]?.schema;
      return { method: method.toUpperCase(), path, parameters, body: schema };
    })
  );
}

function methodOf({ method }: Operation): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 15, arbitrary: fc.constant(method) },
    fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"),
  );
}

function target({ path, parameters }: Operation, resolve: Resolve): fc.Arbitrary<string> {
  const segment = (schema: Schema) => randomValue(schema, resolve).map((value) => encode(asText(value)));
  const names = parameters.filter((each) => each.in === "path");
  const values = fc.tuple(
    ...names.map(({ schema }) => fc.oneof(segment(schema), segment({ type: "string" }))),
  );
  const filled = values.map((texts) =>
    names.reduce((filled, { name }, index) => filled.replace(`{${name}}`, () => texts[index]!), path)
  );
  const pairs = parameters.filter((each) => each.in === "query").map(({ name, schema }) =>
    sometimes(randomValue(schema, resolve).map((value) => `${name}=${encode(asText(value))}`), 2)
  );
  const odd = sometimes(
    fc.tuple(hostileText, hostileText).map(([name, value]) => `${encode(name)}=${encode(value)}`),
    8,
  );
  return fc.tuple(filled, ...pairs, odd, odd).map(([filled, ...query]) => {
    const given = query.filter((pair) => pair !== undefined);
    return given.length === 0 ? filled! : `${filled}?${given.join("&")}`;
  });
}

function headers({ parameters, body }: Operation, key: string): fc.Arbitrary<Record<string, string>> {
  const own = parameters.filter((each) => each.in === "header").map(({ name }) => name);
  const odd = [
    ...own,
    "x-correlation-id",
    "traceparent",
    "accept",
    "accept-encoding",
    "x-forwarded-for",
    "range",
  ];
  const type = fc.oneof(
    { weight: 12, arbitrary: fc.constant("application/json") },
    fc.constantFrom(
      "text/plain",
      "application/xml",
      "multipart/form-data",
      "application/json; charset=utf-16",
      "{}",
    ),
  );
  const login = fc.oneof(
    { weight: 30, arbitrary: fc.constant<string | undefined>(`Bearer ${key}`) },
    fc.constantFrom(undefined, "Bearer ", "Basic YTpi", `Bearer ${key.slice(0, -1)}`, "Bearer cc_0_0"),
  );
  return fc.record({
    "authorization": login,
    "content-type": body ? type : sometimes(type, 10),
    "origin": sometimes(fc.constantFrom("null", "http://evil.example", "http://127.0.0.1:9000"), 40),
    "content-encoding": sometimes(fc.constantFrom("gzip", "br"), 40),
    ...Object.fromEntries(
      odd.map((name) => [name, sometimes(fc.oneof(fc.nat().map(String), hostileText), 12)]),
    ),
  }).map((given) =>
    Object.fromEntries(
      Object.entries(given).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, headerValue(value)]]
      ),
    )
  );
}

function body({ body: schema }: Operation, resolve: Resolve): fc.Arbitrary<string | undefined> {
  if (!schema) return sometimes(hostileText, 15);
  const json = randomValue(schema, resolve).map((value) => JSON.stringify(value));
  const broken = fc.tuple(json, fc.nat(), hostileText).map(([text, at, odd]) =>
    text.slice(0, at % (text.length + 1)) + odd + text.slice(at % (text.length + 1))
  );
  return fc.oneof({ weight: 16, arbitrary: json }, broken, fc.constant(undefined));
}

/** One time in `oneIn` a value, else none. */
function sometimes<Value>(value: fc.Arbitrary<Value>, oneIn: number): fc.Arbitrary<Value | undefined> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(undefined) }, value);
}

/** `fetch` sends no body with GET and HEAD. */
function fetchable(request: RandomRequest): RandomRequest {
  const bodiless = request.method === "GET" || request.method === "HEAD";
  return bodiless ? { ...request, body: undefined } : request;
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

/** Percent-encodes; what cannot be encoded, such as half a surrogate pair, goes as the bytes nobody expects. */
function encode(text: string): string {
  return text.isWellFormed()
    ? encodeURIComponent(text)
    : `%ED%A0%80${encodeURIComponent(text.toWellFormed())}`;
}

/** What `fetch` lets through: tabs, and bytes that are no controls. */
function headerValue(text: string): string {
  return text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "?").slice(0, 2000);
}
