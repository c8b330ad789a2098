import type { ExpositionFormat } from "../../core/metrics.ts";

interface MediaRange {
  readonly type: string;
  readonly version: string | undefined;
  readonly quality: number;
}

/**
 * The format that an Accept header asks for: OpenMetrics only where it is named (1.0 or no version) and not ranked
 * below plain text, else the Prometheus text format, which is also the answer to what we cannot offer.
 */
export function negotiateFormat(accept: string | undefined): ExpositionFormat {
  const ranges = (accept ?? "").slice(0, 1000).split(",").map(parseRange);
  const best = (matches: (range: MediaRange) => boolean) =>
    Math.max(0, ...ranges.filter(matches).map((range) => range.quality));
  const openMetrics = best(({ type, version }) =>
    type === "application/openmetrics-text" && (version === undefined || /^1(?:\.0){0,2}$/.test(version))
  );
  const named = best(({ type }) => type === "text/plain");
  const text = named || best(({ type }) => type === "text/*" || type === "*/*");
  return openMetrics > 0 && openMetrics >= text ? "openmetrics" : "prometheus";
}

function parseRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const parameter = (name: string) =>
    parameters.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1).replaceAll('"', "");
  const quality = parameter("q") ?? "1";
  // A quality of another shape than RFC 9110 knows is no wish that could be ranked.
  return {
    type,
    version: parameter("version"),
    quality: /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality) : 0,
  };
}
