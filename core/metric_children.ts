/** Characters of a label value that are kept. */
const maxValueLength = 128;

/** The one value that everything beyond the limit is counted under. */
const overflowValue = "other";

type Labels = Readonly<Record<string, string>>;

/** Text as a scraper can take it: bounded, and without halves of surrogate pairs. */
export function labelValue(value: string | undefined): string {
  return String(value ?? "").slice(0, maxValueLength).toWellFormed();
}

/** The children of a metric by their label values, never more than `maxSeries`, whatever the callers pass. */
export class MetricChildren<Child> {
  readonly #children = new Map<string, Child>();
  readonly #names: readonly string[];
  readonly #maxSeries: number;
  readonly #make: (labels: Labels) => Child;
  readonly #refuse: () => void;
  #overflow: Child | undefined;

  /** `refuse` is told of each combination beyond the limit; `overflow` stands in for them, default a child `other`. */
  constructor(
    names: readonly string[],
    options: { maxSeries: number; make: (labels: Labels) => Child; refuse: () => void; overflow?: Child },
  ) {
    this.#names = names;
    this.#maxSeries = options.maxSeries;
    this.#make = options.make;
    this.#refuse = options.refuse;
    this.#overflow = options.overflow;
  }

  labels(values: Labels): Child {
    let key = "";
    for (const name of this.#names) key += `${values[name]}\0`;
    const known = this.#children.get(key);
    if (known !== undefined) return known;
    if (this.#children.size >= this.#maxSeries) {
      this.#refuse();
      return this.#overflow ??= this.#make(this.#pick(() => overflowValue));
    }
    const child = this.#make(this.#pick((name) => labelValue(values[name])));
    this.#children.set(key, child);
    return child;
  }

  #pick(valueOf: (name: string) => string): Labels {
    return Object.fromEntries(this.#names.map((name) => [name, valueOf(name)]));
  }
}
