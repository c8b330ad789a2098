import type { Result, Router } from "hono/router";

/**
 * The same router, which remembers what it found for paths without parameters: routes such as `/api/events/{id}` beside
 * `/api/events/stats` make it walk a tree, twice a request. `paths` bounds what is remembered. Takes no routes any more.
 */
export class RememberingRouter<Handler> implements Router<Handler> {
  readonly name = "RememberingRouter";
  readonly #router: Router<Handler>;
  readonly #paths: ReadonlySet<string>;
  readonly #found = new Map<string, Map<string, Result<Handler>>>();

  constructor(router: Router<Handler>, paths: ReadonlySet<string>) {
    this.#router = router;
    this.#paths = paths;
  }

  add(_method: string, path: string): void {
    throw new Error(`Cannot add "${path}": the routes of this table are complete`);
  }

  match(method: string, path: string): Result<Handler> {
    const known = this.#found.get(method)?.get(path);
    if (known) return known;
    const found = this.#router.match(method, path);
    if (this.#paths.has(path) && methods.has(method)) {
      const ofMethod = this.#found.get(method) ?? new Map<string, Result<Handler>>();
      this.#found.set(method, ofMethod.set(path, found));
    }
    return found;
  }
}

/** Anybody may send any method; only these are remembered. */
const methods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);
