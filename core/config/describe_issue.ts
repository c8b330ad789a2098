import type { z } from "zod";
import { didYouMean } from "./suggestion.ts";

type Issue = z.core.$ZodIssue;

/** Words for zod's own complaints, for somebody who knows YAML but not zod; never repeats the value itself. */
export function describeIssue(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return value === undefined
        ? "missing"
        : `expected ${expectedName(issue.expected)}, got ${gotName(issue, value)}`;
    case "invalid_value":
      return oneOf(issue.values, value);
    case "too_small":
      return bound(issue, { word: issue.inclusive ? "at least" : "more than", limit: issue.minimum });
    case "too_big":
      return bound(issue, { word: issue.inclusive ? "at most" : "less than", limit: issue.maximum });
    case "invalid_format":
      if (issue.format === "regex") return `has to match ${issue.pattern}`;
      return issue.format === "url" ? "expected a URL" : `expected a valid ${issue.format}`;
    case "not_multiple_of":
      return `has to be a multiple of ${issue.divisor}`;
    default:
      return "not accepted";
  }
}

const names: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a mapping",
  record: "a mapping",
  array: "a list",
};

/** The name of a type, as the operator knows it: `text`, `a list`. */
export function expectedName(type: string): string {
  return names[type] ?? type;
}

function gotName(issue: { readonly expected: string }, value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  const got = names[typeof value] ?? typeof value;
  const scalar = typeof value === "number" || typeof value === "boolean";
  if (issue.expected === "string" && scalar) return `${got}: put it in quotes`;
  return issue.expected === "int" && typeof value === "number" ? "a fraction" : got;
}

function oneOf(values: readonly unknown[], value: unknown): string {
  if (value === undefined) return "missing";
  const options = values.map(String);
  const hint = typeof value === "string" ? didYouMean(value, options) : "";
  return options.length === 1 ? `has to be ${options[0]}` : `expected one of ${options.join(", ")}${hint}`;
}

function bound(
  issue: { readonly origin: string },
  { word, limit }: { word: string; limit: number | bigint },
): string {
  if (issue.origin === "string") {
    return word === "at least" && Number(limit) === 1
      ? "must not be empty"
      : `must have ${word} ${limit} characters`;
  }
  if (issue.origin === "array") return `must have ${word} ${limit} ${Number(limit) === 1 ? "item" : "items"}`;
  return `must be ${word} ${limit}`;
}
