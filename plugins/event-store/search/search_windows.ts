import type { EventFilter } from "./event_filter.ts";
import type { SequenceRange } from "../log/read_page.ts";
import { mergeKeys } from "./merge_keys.ts";
import type { ChosenKeys, SubjectCatalog } from "./subject_catalog.ts";
import type { Turns } from "../../../core/turns.ts";

/** Sequences looked through by one statement: grows while that is quick, shrinks when it holds the loop too long. */
const firstWindow = 2000;
const largestWindow = 1_000_000;
const quickMs = 2;
const slowMs = 8;
/** Looking one key up in an index costs about as much as looking at this many events one after the other. */
const lookupCost = 20;
/** Subjects that are matched before anything else; with more, the first events may make it unnecessary. */
const quicklyMatched = 2000;
/** Candidates that one statement reads, where other filters leave few of them. */
const mostCandidates = 2000;

interface WindowOptions {
  readonly filter: EventFilter;
  readonly order: "asc" | "desc";
  readonly subjects: SubjectCatalog | undefined;
  readonly turns: Turns;
}

/**
 * Decides what a search looks at next: all events of a window, which is right where many match, or only those that
 * an index has for the subjects or projects in question, which is right where few do.
 */
export class SearchWindows {
  readonly #options: WindowOptions;
  /** Ways to find candidates in an index, the better one first; undefined until they are asked for. */
  #choices: ChosenKeys[] | undefined;
  #size = firstWindow;
  #looked = 0;
  #found = 0;
  #candidates = 0;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** The next part of `rest`, at its beginning (for `desc` its end), for a search that still wants `missing` events. */
  async next(rest: SequenceRange, missing: number): Promise<SequenceRange> {
    return await this.#merged(rest, missing) ??
      (this.#options.order === "asc"
        ? { from: rest.from, to: Math.min(rest.from + this.#size - 1, rest.to) }
        : { from: Math.max(rest.to - this.#size + 1, rest.from), to: rest.to });
  }

  /** Takes note of what a part held. */
  learn({ from, to, among }: SequenceRange, { found, tookMs }: { found: number; tookMs: number }): void {
    if (among) return;
    this.#looked += to - from + 1;
    this.#found += found;
    if (tookMs < quickMs) this.#size = Math.min(this.#size * 2, largestWindow);
    else if (tookMs > slowMs) this.#size = Math.max(this.#size >> 1, firstWindow);
  }

  async #merged(rest: SequenceRange, missing: number): Promise<SequenceRange | undefined> {
    const { filter, order, turns, subjects: catalog } = this.#options;
    if (!catalog || (this.#looked === 0 && catalog.size > quicklyMatched)) return undefined;
    this.#choices ??= choicesFor(filter, catalog);
    const chosen = this.#choices.find((each) => this.#isWorthwhile(each, rest, missing));
    if (!chosen) return undefined;
    const { column, keys, upTo } = chosen;
    const from = rest.from;
    const to = Math.min(rest.to, upTo);
    const count = Math.max(missing, this.#candidates);
    this.#candidates = Math.min(count * 2, mostCandidates);
    const among = await mergeKeys(catalog.index, { column, keys, from, to, order, count, turns });
    if (among.length < count) return { from, to, among };
    const last = among.at(-1)!;
    const range = order === "asc" ? { from, to: last, among } : { from: last, to, among };
    // So many candidates that one after the other is quicker.
    if (range.to - range.from < count * lookupCost) this.#choices.splice(this.#choices.indexOf(chosen), 1);
    return range;
  }

  #isWorthwhile({ keys, upTo }: ChosenKeys, rest: SequenceRange, missing: number): boolean {
    // What was stored behind the catalog's back is looked through: for `desc` first, else in the end.
    if (this.#options.order === "asc" ? rest.from > upTo : rest.to > upTo) return false;
    return keys.length * lookupCost <= Math.max(firstWindow, this.#toLookAt(rest, missing));
  }

  /** Events that would have to be looked at one after the other, if it goes on as it went so far. */
  #toLookAt({ from, to }: SequenceRange, missing: number): number {
    return Math.min(to - from + 1, missing * this.#looked / Math.max(this.#found, 1));
  }
}

function choicesFor(filter: EventFilter, catalog: SubjectCatalog): ChosenKeys[] {
  // These have an index that serves a window as it is.
  if (filter.correlationId !== undefined) return [];
  const subjects = catalog.choose(filter);
  const { project, projects } = filter;
  const listed = project === undefined ? projects : [project];
  return [
    ...(subjects ? [subjects] : []),
    ...(listed ? [{ column: "project", keys: listed, upTo: Infinity } as const] : []),
  ];
}
