import type { OpenAPIHono } from "@hono/zod-openapi";
import type { HttpEnv } from "./env.ts";
import { UnderWay } from "./under_way.ts";
import { defaultSecurity, type Policy, policyOf, type SecurityRequirement } from "./policy.ts";

/** What a part of the agent serves. */
export interface Mountable {
  /** Plugin or kernel part, for error messages. */
  readonly name: string;
  /** Paths it owns, such as `/api/events`: these and everything below; `/` is itself alone. */
  readonly prefixes: readonly string[];
  readonly app: OpenAPIHono<HttpEnv>;
  /** Whether it still takes requests when the agent is stopping; default false. */
  readonly whileStopping?: boolean;
}

/** One described route. */
export interface Route {
  readonly method: string;
  /** In the form of OpenAPI, such as `/api/keys/{id}`. */
  readonly template: string;
  readonly policy: Policy;
  /** Largest body in bytes, where the route says so itself (`x-max-body`). */
  readonly maxBodyBytes: number | undefined;
  /** Whether its answers go on and on, which its description says with `text/event-stream`. */
  readonly streams: boolean;
  /** Whether it answers with JSON and nothing else, as far as its description says. */
  readonly dataOnly: boolean;
  readonly mount: Mount;
}

/** Methods whose requests bring a body; that of a GET the server itself drops. */
export const bodyMethods: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);
/** Methods a route may have. */
export const routeMethods: ReadonlySet<string> = new Set(["GET", ...bodyMethods]);

/** A mounted part: its routes, checked, and the requests it has in hand. */
export interface Mount extends Mountable {
  /** By `METHOD /path/:parameter`, as the router has it. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Requests whose answer has not begun yet. */
  readonly inHand: UnderWay;
  /** Aborted when it is taken down. */
  readonly leaving: AbortController;
}

/**
 * Reads what an app declares. Throws where a route lies outside of its prefixes, has a method that is not among
 * `routeMethods`, is not described by `createRoute`, or asks for a security that we do not know: a route nobody decided
 * about must not be served.
 */
export function createMount({ name, prefixes, app, whileStopping = false }: Mountable): Mount {
  const fail = (state: string): never => {
    throw new Error(`Cannot mount "${name}": ${state}`);
  };
  for (const prefix of prefixes) {
    if (!/^(\/|(\/[A-Za-z0-9._~-]+)+)$/.test(prefix)) fail(`"${prefix}" is no prefix such as /api/events`);
  }
  const routes = new Map<string, Route>();
  const mount: Mount = {
    name,
    prefixes,
    app,
    whileStopping,
    routes,
    inHand: new UnderWay(),
    leaving: new AbortController(),
  };
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== "route") continue;
    const method = definition.route.method.toUpperCase();
    const template = definition.route.path;
    if (!routeMethods.has(method)) {
      fail(`${method} ${template} is answered by the server itself, or not at all`);
    }
    const path = template.replaceAll(/\/{(.+?)}/g, "/:$1");
    const security = (definition.route.security ?? defaultSecurity(method)) as SecurityRequirement[];
    const maxBody: unknown = definition.route["x-max-body"];
    const maxBodyBytes = typeof maxBody === "number" ? maxBody : undefined;
    const types = Object.values(definition.route.responses).flatMap(mediaTypes);
    routes.set(`${method} ${path}`, {
      method,
      template,
      policy: policyOf(security),
      maxBodyBytes,
      streams: types.includes("text/event-stream"),
      dataOnly: types.length > 0 && types.every((type) => /^application\/([a-z-]+\+)?json$/.test(type)),
      mount,
    });
  }
  for (const { method, path } of app.routes) {
    if (!prefixes.some((prefix) => isBelow(path, prefix))) {
      fail(`${method} ${path} lies outside of ${prefixes.join(", ") || "its prefixes (none)"}`);
    }
    if (method !== "ALL" && !routes.has(`${method} ${path}`)) {
      fail(`${method} ${path} is not described; declare it with app.openapi(createRoute({...}), handler)`);
    }
  }
  app.router.match("GET", "/"); // from now on the router refuses new routes, which would not be served anyway
  return mount;
}

/** Whether `path` is `prefix` or lies below it. */
export function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
}

function mediaTypes(response: object): string[] {
  const content = "content" in response ? response.content : undefined;
  return typeof content === "object" && content !== null ? Object.keys(content) : [];
}
