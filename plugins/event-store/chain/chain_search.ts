import { Turns } from "../../../core/turns.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";
import type { ChainStore } from "./chain_store.ts";

/** Rows of the first statement for one cause; how large they are decides how many the next one takes. */
const firstRows = 4;
const maxCharacters = 1024 * 1024;
/** Events looked at for one tree, whoever may see them. */
const maxLooked = 20_000;

/** An event of the tree, without its payload. */
export type LinkedEvent = Omit<EventRow, "payload">;

/** One event of the tree and what it caused. */
export interface Link {
  readonly id: string;
  /** Undefined where the log has no such event, or none that the reader may see. */
  readonly event: LinkedEvent | undefined;
  readonly effects: Link[];
  /** Whether it caused more than is shown. */
  truncated: boolean;
  /** Whether its cause, or one of its effects, is left out because it stands in the tree already. */
  cycle: boolean;
}

/** From the first cause that was found down to everything that the asked event caused. */
export interface Chain {
  readonly root: Link;
  /** How many steps the asked event lies below the root. */
  readonly depth: number;
  /** Whether there are causes above the root that a bound cut off. */
  readonly causesTruncated: boolean;
}

export interface ChainSearchOptions {
  readonly store: EventStore;
  readonly chains: ChainStore;
  readonly maySee: (event: EventRow) => boolean;
  /** Steps from the asked event, up and down. */
  readonly depth: number;
  /** Events of the whole tree. */
  readonly limit: number;
}

/** Finds one tree, breadth first, in many small statements. */
export class ChainSearch {
  readonly #options: ChainSearchOptions;
  readonly #seen = new Set<number>();
  readonly #turns = new Turns();
  #looked = 0;

  constructor(options: ChainSearchOptions) {
    this.#options = options;
  }

  /** Rejects with DamagedEvent. */
  async find(asked: EventRow): Promise<Chain> {
    const link = this.#link(asked);
    const path = [link];
    const causesTruncated = await this.#climb(path);
    await this.#descend(link, path.length);
    for (let step = 1; step < path.length; step++) path[step - 1]!.effects.push(path[step]!);
    return { root: path[0]!, depth: path.length - 1, causesTruncated };
  }

  /** Puts cause before cause in front of the path; true where a bound ends that. */
  async #climb(path: Link[]): Promise<boolean> {
    const { store, maySee, depth, limit } = this.#options;
    for (;;) {
      const { id, node } = causeOf(path[0]!);
      if (id === null) return false;
      if (path.length > depth || path.length >= limit) return true;
      await this.#turns.next();
      // Ids are unique on their node only: a cause is an event of the same node, else the first with that id.
      const cause = await store.byId(id, node) ?? await store.byId(id);
      if (cause && this.#seen.has(cause.seq)) path[0]!.cycle = true;
      // To a key that may not see it, an event that is there is like one that is not.
      else path.unshift(cause && maySee(cause) ? this.#link(cause) : missing(id));
    }
  }

  async #descend(asked: Link, taken: number): Promise<void> {
    const { depth, limit } = this.#options;
    let room = limit - taken;
    const queue = [{ link: asked, level: 0 }];
    for (const { link, level } of queue) {
      const wanted = level < depth ? room : 0;
      const effects = await this.#effectsOf(link, wanted + 1);
      if (effects.length > wanted) link.truncated = true;
      for (const effect of effects.slice(0, wanted)) {
        const below = this.#link(effect);
        link.effects.push(below);
        queue.push({ link: below, level: level + 1 });
        room--;
      }
    }
  }

  /** What an event caused, as far as the reader may see it and it is not in the tree yet. */
  async #effectsOf(link: Link, wanted: number): Promise<LinkedEvent[]> {
    const cause = link.event!;
    const isEffect = this.#effectTest(cause);
    const found: LinkedEvent[] = [];
    let size = firstRows;
    for (let afterSeq = 0;;) {
      if (this.#looked >= maxLooked) {
        link.truncated = true;
        return found;
      }
      await this.#turns.next();
      const rows = await this.#options.chains.effects(cause.id, { afterSeq, limit: size });
      this.#looked += rows.length;
      let characters = 1;
      for (const row of rows) {
        characters += row.payload.length;
        if (!await isEffect(row)) continue;
        if (this.#seen.has(row.seq)) link.cycle = true;
        else if (this.#options.maySee(row)) found.push(withoutPayload(row));
        if (found.length === wanted) return found;
      }
      if (rows.length < size) return found;
      afterSeq = rows.at(-1)!.seq;
      size = Math.max(firstRows, Math.min(wanted, Math.floor(maxCharacters * rows.length / characters)));
    }
  }

  /** Whether an event that names the id of `cause` means this very event. */
  #effectTest(cause: LinkedEvent): (row: EventRow) => Promise<boolean> {
    let namesakes: readonly Pick<EventRow, "seq" | "node_id">[] | undefined;
    return async (row) => {
      if (row.node_id === cause.node_id) return true;
      namesakes ??= await this.#options.chains.namesakes(cause.id);
      return namesakes[0]?.seq === cause.seq && !namesakes.some(({ node_id }) => node_id === row.node_id);
    };
  }

  #link(event: EventRow | LinkedEvent): Link {
    this.#seen.add(event.seq);
    return { id: event.id, event: withoutPayload(event), effects: [], truncated: false, cycle: false };
  }
}

function causeOf({ event, cycle }: Link): { id: string | null; node: string | undefined } {
  return { id: cycle ? null : event?.causation_id ?? null, node: event?.node_id };
}

function missing(id: string): Link {
  return { id, event: undefined, effects: [], truncated: false, cycle: false };
}

/** A thousand payloads would fill the memory for nothing. */
function withoutPayload(event: EventRow | LinkedEvent): LinkedEvent {
  if (!("payload" in event)) return event;
  const { payload: _, ...rest } = event;
  return rest;
}
