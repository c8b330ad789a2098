import { Problem } from "../errors.ts";
import { createMount, isBelow, type Mount, type Mountable } from "./mount.ts";
import { describeMount, joinDescriptions, type OpenApiDocument } from "./openapi_document.ts";
import { type OnError, RouteTable } from "./route_table.ts";

/** How long an unmount waits for the requests in hand. */
const drainMs = 5000;

/** What is mounted now. Parts come and go one by one while the others keep serving. */
export class Mounts {
  readonly #onError: OnError;
  readonly #version: string;
  readonly #mounts = new Map<Mount, OpenApiDocument>();
  /** Prefix -> name of the part that served it. */
  readonly #stopped = new Map<string, string>();
  #table: RouteTable;
  #description: string | undefined;

  constructor({ onError, version }: { onError: OnError; version: string }) {
    this.#onError = onError;
    this.#version = version;
    this.#table = new RouteTable([], onError);
  }

  get table(): RouteTable {
    return this.#table;
  }

  /** The OpenAPI description of all that is mounted, as JSON text. */
  get description(): string {
    return this.#description ??= JSON.stringify(joinDescriptions([...this.#mounts.values()], this.#version));
  }

  /**
   * Serves `part` from now on; the returned function ends that and waits (5 s at the most) for its requests in hand.
   * Throws where its prefixes or routes are not its own.
   */
  add(part: Mountable): () => Promise<void> {
    const mount = createMount(part);
    this.#refuseOverlap(mount);
    const document = describeMount(mount);
    joinDescriptions([...this.#mounts.values(), document], this.#version);
    const table = new RouteTable([...this.#mounts.keys(), mount], this.#onError);
    this.#mounts.set(mount, document);
    this.#swap(table);
    for (const prefix of mount.prefixes) this.#stopped.delete(prefix);
    let removed: Promise<void> | undefined;
    return () => removed ??= this.#remove(mount);
  }

  /** What to say about a path that no route answers to but that belonged to a part which is stopped. */
  stoppedProblem(path: string): Problem | undefined {
    for (const [prefix, name] of this.#stopped) {
      if (isBelow(path, prefix)) {
        return new Problem(503, "plugin_stopped", {
          detail: `The plugin "${name}" is stopped; it serves ${prefix} once it is started again`,
        });
      }
    }
    return undefined;
  }

  /** Resolves when no mount has a request in hand any more, after 5 s at the most. */
  async idle(): Promise<void> {
    await Promise.all([...this.#mounts.keys()].map(({ inHand }) => inHand.none(drainMs)));
  }

  async #remove(mount: Mount): Promise<void> {
    for (const prefix of mount.prefixes) this.#stopped.set(prefix, mount.name);
    this.#mounts.delete(mount);
    this.#swap(new RouteTable([...this.#mounts.keys()], this.#onError));
    mount.leaving.abort(new Error(`The routes of "${mount.name}" are taken down`));
    await mount.inHand.none(drainMs);
  }

  #swap(table: RouteTable): void {
    this.#table = table;
    this.#description = undefined;
  }

  #refuseOverlap(mount: Mount): void {
    const prefixes = mount.prefixes;
    for (const [index, prefix] of prefixes.entries()) {
      for (const other of this.#mounts.keys()) {
        const taken = other.prefixes.find((each) => isBelow(prefix, each) || isBelow(each, prefix));
        if (taken) {
          throw new Error(`Cannot mount "${mount.name}": ${prefix} overlaps ${taken} of "${other.name}"`);
        }
      }
      const own = prefixes.find((each, at) => at !== index && isBelow(prefix, each));
      if (own) throw new Error(`Cannot mount "${mount.name}": ${prefix} lies below its own ${own}`);
    }
  }
}
