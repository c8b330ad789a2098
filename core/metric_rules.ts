/** What every metric has, whatever its kind. */
export interface MetricDescription {
  /** In full: `commandcenter_events_appended_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One line of plain text. */
  readonly help: string;
  readonly labels: readonly string[];
  /** The plugin that declared it, or `kernel`. */
  readonly owner: string;
}

/** Tokens of a name that say it is not in base units. */
const scaledUnits = new Set(
  [
    "nanoseconds microseconds milliseconds minutes hours days ns us ms",
    "kilobytes megabytes gigabytes kibibytes mebibytes gibibytes kb mb gb kib mib gib",
    "percent percentage",
  ].join(" ").split(" "),
);

/** Endings that the exposition formats give to the parts of a histogram or counter. */
const reservedEnding = /_(?:bucket|count|sum|created)$/;

const reservedLabels = new Set(["le", "quantile"]);

/** Throws, saying what to change, where a name, help text, label or bucket breaks the house rules. */
export function checkDeclaration(description: MetricDescription, buckets: readonly number[] = []): void {
  const refuse = (state: string): never => {
    throw new Error(`Cannot declare the metric "${description.name}": ${state}`);
  };
  const { name, type, help, labels } = description;
  if (!/^commandcenter(?:_[a-z0-9]+)+$/.test(name)) {
    refuse("the name has to be commandcenter_ and lower-case words joined by single _");
  }
  if ((type === "counter") !== name.endsWith("_total")) {
    refuse(type === "counter" ? "a counter has to end in _total" : "only a counter may end in _total");
  }
  if (reservedEnding.test(name.replace(/_total$/, ""))) {
    refuse("_bucket, _count, _sum and _created belong to histograms; choose another last word");
  }
  const scaled = name.split("_").find((token) => scaledUnits.has(token));
  if (scaled) refuse(`"${scaled}" is no base unit; use seconds, bytes or ratio`);
  if (!/^[^\n\r"\\]{1,300}$/.test(help)) {
    refuse("the help text has to be one line of 1 to 300 characters without quotes and backslashes");
  }
  for (const label of labels) {
    if (!/^[a-z][a-z0-9_]*$/.test(label) || reservedLabels.has(label) || label.includes("__")) {
      refuse(`"${label}" is no label name; use lower-case words joined by _, but not le or quantile`);
    }
  }
  if (new Set(labels).size !== labels.length) refuse("a label name occurs twice");
  if (buckets.some((bound, place) => !Number.isFinite(bound) || bound <= (buckets[place - 1] ?? -Infinity))) {
    refuse("the buckets have to be finite and to ascend");
  }
}

/** The name that all samples of a metric share; two metrics with one family name cannot be told apart. */
export function familyName(name: string): string {
  return name.replace(/_total$/, "");
}
