import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Mount } from "./mount.ts";
import { defaultSecurity } from "./policy.ts";

/** An OpenAPI 3.1 document. */
export type OpenApiDocument = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;
type Operation = Record<string, unknown>;

const securitySchemes = {
  key: {
    type: "http",
    scheme: "bearer",
    description: "A key, `cc_…`, with the scope listed; `X-API-Key: KEY` does as well. See `/api/keys`.",
  },
  ticket: {
    type: "apiKey",
    in: "query",
    name: "ticket",
    description: "A one-time ticket, for browsers, which cannot set headers on WebSocket and EventSource.",
  },
  loopback: {
    type: "http",
    scheme: "loopback",
    description: "No key, where the request comes from this machine itself and through no proxy.",
  },
} as const;

const problemSchema = {
  type: "object",
  description: "RFC 9457. `code` is for programs, `detail` for people; further members depend on the code.",
  required: ["type", "title", "status", "code", "detail", "correlation_id"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string" },
    detail: { type: "string" },
    correlation_id: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        description: "Of a request `path` and `message`, of a batch `index` (from 0), `code` and `detail`",
        properties: {
          path: { type: "string" },
          message: { type: "string" },
          index: { type: "integer" },
          code: { type: "string" },
          detail: { type: "string" },
        },
      },
    },
  },
} as const;

const problemContent = {
  "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
} as const;
const problemResponse = { description: "Anything else: a problem", content: problemContent } as const;

/** Describes one mount. Throws where its schemas cannot be described. */
export function describeMount(mount: Mount): OpenApiDocument {
  try {
    return mount.app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: mount.name, version: "0" } });
  } catch (error) {
    const reason = error instanceof Error ? error.message : JSON.stringify(error);
    throw new Error(`Cannot mount "${mount.name}": a schema cannot be described: ${reason}`, {
      cause: error,
    });
  }
}

/** Joins the descriptions of all mounts and adds what holds for every operation. */
export function joinDescriptions(documents: readonly OpenApiDocument[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  const schemas: Record<string, unknown> = { Problem: problemSchema };
  for (const document of documents) {
    for (const [path, item] of Object.entries(document.paths ?? {})) {
      paths[path] = {};
      for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
        paths[path][method] = {
          ...operation,
          security: operation.security ?? defaultSecurity(method.toUpperCase()),
          responses: { ...withProblems(operation.responses as object), default: problemResponse },
        };
      }
    }
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
      if (name in schemas && JSON.stringify(schemas[name]) !== JSON.stringify(schema)) {
        throw new Error(`Cannot describe the API: two parts mean different things by the schema "${name}"`);
      }
      schemas[name] = schema;
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "CommandCenter",
      version,
      description: "Times are RFC 3339 in UTC; errors are RFC 9457 problems.",
    },
    servers: [{ url: "/" }],
    paths,
    components: { schemas, securitySchemes },
  } as unknown as OpenApiDocument;
}

/** What is refused without further words is refused with a problem, which generated clients have to know. */
function withProblems(responses: object): object {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => {
      const bare = Number(status) >= 400 && !("content" in response);
      return [status, bare ? { ...response, content: problemContent } : response];
    }),
  );
}
