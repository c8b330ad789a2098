/** Strict reader of both text formats, with which the tests hold the exposition to their specifications. */

type Format = "prometheus" | "openmetrics";

/** One line of an exposition. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric of an exposition, with its samples. */
export interface ParsedFamily {
  readonly name: string;
  help?: string;
  type?: string;
  readonly samples: ParsedSample[];
}

/** Reads an exposition; throws, naming the line, on whatever the format does not allow and we never write. */
export function parseExposition(body: string, format: Format): ReadonlyMap<string, ParsedFamily> {
  const lines = body.split("\n");
  if (lines.pop() !== "") throw new Error("the last line has no end");
  if (format === "openmetrics" && lines.pop() !== "# EOF") throw new Error("# EOF is not the last line");
  const families = new Map<string, ParsedFamily>();
  let current: ParsedFamily | undefined;
  for (const [index, line] of lines.entries()) {
    try {
      if (line === "" && format === "prometheus") continue;
      current = readLine(line, { format, families, current });
    } catch (error) {
      throw new Error(`line ${index + 1} "${line}": ${(error as Error).message}`);
    }
  }
  for (const family of families.values()) checkFamily(family, format);
  return families;
}

interface State {
  readonly format: Format;
  readonly families: Map<string, ParsedFamily>;
  readonly current: ParsedFamily | undefined;
}

function readLine(line: string, state: State): ParsedFamily {
  if (!line.startsWith("#")) {
    const sample = readSample(line);
    const { current } = state;
    if (!current?.type) throw new Error("a sample before its # TYPE");
    if (!namesOf(current, state.format).includes(sample.name)) {
      throw new Error(`the sample is not of ${current.name}`);
    }
    current.samples.push(sample);
    return current;
  }
  const match = /^# (HELP|TYPE) ([a-z][a-z0-9_]*) (.+)$/.exec(line);
  if (!match) throw new Error("neither # HELP nor # TYPE");
  const [, keyword, name, text] = match as unknown as [string, "HELP" | "TYPE", string, string];
  if (keyword === "HELP") {
    if (state.families.has(name)) throw new Error("the family occurs twice");
    const family: ParsedFamily = { name, help: unescape(text, state.format === "openmetrics"), samples: [] };
    state.families.set(name, family);
    return family;
  }
  if (state.current?.name !== name || state.current.type) throw new Error("# TYPE out of place");
  if (!/^(?:counter|gauge|histogram)$/.test(text)) throw new Error("unknown type");
  state.current.type = text;
  return state.current;
}

function namesOf({ name, type }: ParsedFamily, format: Format): string[] {
  if (type === "histogram") return [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  return [type === "counter" && format === "openmetrics" ? `${name}_total` : name];
}

const labelPattern = String.raw`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"`;
const samplePattern = new RegExp(
  String.raw`^([a-z][a-z0-9_]*)(?:\{(${labelPattern}(?:,${labelPattern})*)\})? (\S+)$`,
);

function readSample(line: string): ParsedSample {
  const match = samplePattern.exec(line);
  if (!match) throw new Error("no sample");
  const [name, block = "", number] = [match[1]!, match[2], match.at(-1)!];
  const labels: Record<string, string> = {};
  for (const [, label, value] of block.matchAll(new RegExp(labelPattern, "g"))) {
    if (label! in labels) throw new Error(`the label ${label} occurs twice`);
    labels[label!] = unescape(value!, true);
  }
  return { name, labels, value: readNumber(number) };
}

function unescape(text: string, quotes: boolean): string {
  if (!(quotes ? /^(?:[^"\\\n]|\\["\\n])*$/ : /^(?:[^\\\n]|\\[\\n])*$/).test(text)) {
    throw new Error("bad escape");
  }
  return text.replace(/\\(.)/g, (_, escaped) => escaped === "n" ? "\n" : escaped);
}

function readNumber(text: string): number {
  if (text === "+Inf") return Infinity;
  if (!/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/.test(text)) throw new Error(`"${text}" is no number`);
  return Number(text);
}

function checkFamily(family: ParsedFamily, format: Format): void {
  const fail = (state: string) => {
    throw new Error(`family ${family.name}: ${state}`);
  };
  if (!family.type) fail("no # TYPE");
  if (family.type === "counter" && family.name.endsWith("_total") !== (format === "prometheus")) {
    fail("_total belongs to the name of the family in the Prometheus format, and only there");
  }
  const seen = new Set<string>();
  const histograms = new Map<string, ParsedSample[]>();
  for (const sample of family.samples) {
    const { le: _le, ...rest } = sample.labels;
    const series = JSON.stringify(Object.entries(rest).sort());
    const key = `${sample.name} ${series} ${sample.labels.le ?? ""}`;
    if (seen.has(key)) fail(`${key} occurs twice`);
    seen.add(key);
    if (family.type === "counter" && sample.value < 0) fail("a negative counter");
    histograms.set(series, [...histograms.get(series) ?? [], sample]);
  }
  if (family.type === "histogram") histograms.forEach((samples) => checkHistogram(samples, { format, fail }));
}

function checkHistogram(
  samples: readonly ParsedSample[],
  { format, fail }: { format: Format; fail: (state: string) => void },
): void {
  const bounds = samples.filter((sample) => sample.name.endsWith("_bucket"));
  const count = samples.find((sample) => sample.name.endsWith("_count"))?.value;
  if (!samples.some((sample) => sample.name.endsWith("_sum"))) fail("no _sum");
  if (bounds.at(-1)?.labels.le !== "+Inf" || bounds.at(-1)?.value !== count) fail("+Inf is not the _count");
  let lower = { bound: -Infinity, count: 0 };
  for (const { labels: { le = "" }, value } of bounds) {
    const bound = readNumber(le);
    if (bound <= lower.bound || value < lower.count) fail(`the bucket ${le} does not ascend`);
    if (format === "openmetrics" && !/^(?:\+Inf|-?\d+\.\d+)$/.test(le)) {
      fail(`the bound ${le} is not canonical`);
    }
    lower = { bound, count: value };
  }
}
