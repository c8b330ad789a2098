import { OpenAPIHono } from "@hono/zod-openapi";
import { getPath } from "hono/utils/url";
import { Problem } from "../errors.ts";
import { receiveBody } from "./body.ts";
import type { HttpEnv } from "./env.ts";
import { bodyMethods, type Mount, type Route, routeMethods } from "./mount.ts";
import { RememberingRouter } from "./remembering_router.ts";

/** Answers for what a handler threw. */
export type OnError = (error: unknown, env: HttpEnv["Bindings"]) => Response;

/** All routes of one moment; every mount and unmount makes a new table, which replaces the old one at once. */
export class RouteTable {
  readonly app: OpenAPIHono<HttpEnv>;
  readonly #routes = new Map<string, Route>();
  /** The router returns the same list for the same route, so that looking it up again is one step. */
  readonly #byHandlers = new WeakMap<object, Route>();

  constructor(mounts: readonly Mount[], onError: OnError) {
    const app = new OpenAPIHono<HttpEnv>({ getPath: pathOf });
    app.onError((error, c) => onError(error, c.env));
    app.notFound((c) => onError(notFound(c.req.path), c.env));
    for (const mount of mounts) {
      for (const [name, route] of mount.routes) {
        this.#routes.set(name, route);
        // Only these: Hono calls a single handler as it is, and makes promises for a chain of two.
        if (bodyMethods.has(route.method)) app.on(route.method, name.slice(name.indexOf("/")), receiveBody);
      }
      app.route("/", mount.app);
    }
    const paths = [...this.#routes.values()].map(({ template }) => template);
    app.router = new RememberingRouter(app.router, new Set(paths.filter((path) => !path.includes("{"))));
    this.app = app;
  }

  /** The described route that would answer; middleware alone is none. */
  find(method: string, path: string): Route | undefined {
    const [handlers] = this.app.router.match(method === "HEAD" ? "GET" : method, path);
    if (!handlers) return undefined;
    const known = this.#byHandlers.get(handlers);
    if (known) return known;
    for (const [[, { method, path }]] of handlers) {
      const route = this.#routes.get(`${method} ${path}`);
      if (!route) continue;
      this.#byHandlers.set(handlers, route);
      return route;
    }
    return undefined;
  }

  /** Methods that `path` answers to; empty for an unknown path. */
  methodsOf(path: string): string[] {
    const found = [...routeMethods].filter((method) => this.find(method, path));
    if (found.length === 0) return [];
    return [...found, ...(found.includes("GET") ? ["HEAD"] : []), "OPTIONS"];
  }
}

/** Hono hands over `c.env`, where the edge has put the path already. */
function pathOf(request: Request, options?: { env?: object }): string {
  const env = options?.env as HttpEnv["Bindings"] | undefined;
  return env?.path ?? getPath(request);
}

/** The 404 of a path that no route answers to. */
export function notFound(path: string): Problem {
  return new Problem(404, "not_found", {
    detail: `There is nothing at ${path.slice(0, 200)}; /openapi.json lists what there is`,
  });
}
