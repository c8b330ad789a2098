import { compilePattern, isSubject } from "../../../core/bus/subject.ts";
import type { Logger } from "../../../core/log.ts";
import type { EventFilter } from "./event_filter.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { EventIndex, IndexedColumn } from "./event_index.ts";
import { Turns } from "../../../core/turns.ts";

/** Subjects kept in memory, some 10 MB of them; a log with more is searched event by event. */
const maxSubjects = 50_000;
/** Subjects that one statement reads at start, about two milliseconds. */
const stepSize = 500;

/** The keys of an index that a filter chooses, and how far that is all of them. */
export interface ChosenKeys {
  readonly column: IndexedColumn;
  readonly keys: readonly string[];
  /** Behind this sequence there may be others. */
  readonly upTo: number;
}

interface CatalogOptions {
  readonly index: EventIndex;
  readonly tail: EventTail;
  readonly log: Logger;
  /** Default: 50,000. */
  readonly maxSubjects?: number;
}

/**
 * The subjects that the log has, so that a pattern becomes a list of them, each of which the index finds at once. What
 * retention removed stays in it until the next start, which costs a search some microseconds and changes no result.
 */
export class SubjectCatalog {
  readonly #options: CatalogOptions;
  readonly #subjects = new Set<string>();
  #state: "reading" | "complete" | "given up" = "reading";

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** Where the sequences of the subjects are found. */
  get index(): EventIndex {
    return this.#options.index;
  }

  /** Reads the subjects in small steps and keeps up with the log until aborted. Rejects when the storage does. */
  async follow(signal: AbortSignal): Promise<void> {
    // Listening comes first: what is stored while we read is either read or heard of.
    const leave = this.#options.tail.listen(
      (rows) => this.#add(rows.map((row) => row.subject)),
      // The tail goes past a damaged event, whose subject may be a new one.
      () => this.#giveUp("a damaged event"),
    );
    try {
      await this.#read(signal);
      await ended(signal);
    } finally {
      leave();
      this.#state = "reading";
      this.#subjects.clear();
    }
  }

  /** How many there are to choose from. */
  get size(): number {
    return this.#subjects.size;
  }

  /** Undefined where a list of subjects is not known, or would not help. */
  choose({ subject, type, origin }: EventFilter): ChosenKeys | undefined {
    if (subject !== undefined && isSubject(subject)) {
      return { column: "subject", keys: [subject], upTo: Infinity };
    }
    if (this.#state !== "complete") return undefined;
    if (isEverything(subject) && isEverything(type) && origin === undefined) return undefined;
    const matchesSubject = compilePattern(subject ?? ">");
    const matchesType = compilePattern(type ?? ">");
    const keys: string[] = [];
    for (const each of this.#subjects) {
      const { node, type } = partsOf(each);
      const isOfOrigin = origin === undefined || node === origin || node === "global";
      if (isOfOrigin && matchesType(type) && matchesSubject(each)) keys.push(each);
    }
    return { column: "subject", keys, upTo: this.#options.tail.position };
  }

  async #read(signal: AbortSignal): Promise<void> {
    const turns = new Turns();
    for (let after = ""; !signal.aborted && this.#state === "reading";) {
      const page = await this.#options.index.subjects(after, stepSize);
      this.#add(page);
      if (page.length < stepSize && this.#state === "reading") this.#state = "complete";
      after = page.at(-1) ?? after;
      await turns.next();
    }
  }

  #add(subjects: readonly string[]): void {
    if (this.#state === "given up") return;
    for (const subject of subjects) this.#subjects.add(subject);
    const most = this.#options.maxSubjects ?? maxSubjects;
    if (this.#subjects.size > most) this.#giveUp(`more than ${most} subjects`);
  }

  /** Until the next start. */
  #giveUp(reason: string): void {
    if (this.#state === "given up") return;
    this.#state = "given up";
    this.#subjects.clear();
    this.#options.log.warn("the subjects are not kept in memory: patterns are searched event by event", {
      reason,
    });
  }
}

function isEverything(pattern: string | undefined): boolean {
  return pattern === undefined || pattern === ">";
}

/** An event's subject is `hub.<node_id>.<type>`, or `hub.global.<type>` of any node; nothing else gets into the log. */
function partsOf(subject: string): { node: string; type: string } {
  const first = subject.indexOf(".");
  const second = subject.indexOf(".", first + 1);
  return { node: subject.slice(first + 1, second), type: subject.slice(second + 1) };
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
