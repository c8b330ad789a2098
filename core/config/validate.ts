import type { z } from "zod";
import type { ConfigPath } from "./config_path.ts";
import { describeIssue, expectedName } from "./describe_issue.ts";
import type { Fault } from "./fault.ts";
import { knownKeys } from "./known_keys.ts";
import type { SourceTree } from "./source_tree.ts";
import { didYouMean } from "./suggestion.ts";

type Issue = z.core.$ZodIssue;

/** Marks messages that no schema wrote itself; `describeIssue` finds the words. */
const unworded = "unworded";

/** What a schema made of a value, or every fault it found. */
export type Validated<Output> = { readonly output: Output } | { readonly faults: readonly Fault[] };

/** Parses what `tree` holds at `path`. Text that was filled in as a whole also passes for a number or a flag. */
export function validate<Output>(
  tree: SourceTree,
  options: { schema: z.ZodType<Output>; path: ConfigPath },
): Validated<Output> {
  const { schema, path } = options;
  for (;;) {
    const result = schema.safeParse(tree.get(path), { error: () => unworded });
    if (result.success) return { output: result.data };
    const issues = result.error.issues.flatMap(flatten);
    const coerced = issues.filter((issue) => coerce(tree, { issue, path: [...path, ...steps(issue)] }));
    if (coerced.length > 0) continue; // each value is coerced once at most, so this ends
    return { faults: issues.flatMap((issue) => faultsOf(issue, { tree, schema, path })) };
  }
}

/** A union complains about every alternative; only the one that was meant is of interest. */
function flatten(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const fitting = issue.errors.filter((branch) =>
    !branch.some((inner) => inner.path.length === 0 && isType(inner))
  );
  if (fitting.length !== 1) return [issue];
  return fitting[0]!.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }));
}

function isType(issue: Issue): boolean {
  return issue.code === "invalid_type" || issue.code === "invalid_value";
}

function steps(issue: Issue): ConfigPath {
  return issue.path.map((step) => typeof step === "symbol" ? String(step) : step);
}

function coerce(tree: SourceTree, { issue, path }: { issue: Issue; path: ConfigPath }): boolean {
  const value = tree.get(path);
  if (issue.code !== "invalid_type" || typeof value !== "string" || !tree.filledAt(path)?.whole) return false;
  const wanted = issue.expected === "int" ? "number" : issue.expected;
  if (wanted === "number" && /^[+-]?\d{1,20}(\.\d{1,20})?$/.test(value)) tree.set(path, Number(value));
  else if (wanted === "boolean" && /^(true|false)$/.test(value)) tree.set(path, value === "true");
  else return false;
  return true;
}

interface Where {
  readonly tree: SourceTree;
  readonly schema: z.ZodType;
  readonly path: ConfigPath;
}

function faultsOf(issue: Issue, { tree, schema, path: start }: Where): Fault[] {
  const path = [...start, ...steps(issue)];
  if (tree.isUnusable(path)) return [];
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, steps(issue));
    return issue.keys.map((key) => {
      const inside = [...path, key];
      const text = `unknown key${didYouMean(key, known)}`;
      return { position: tree.position(inside, "key"), path: inside, text };
    });
  }
  const value = tree.get(path);
  const at = issue.code === "invalid_key" ? "key" : "value";
  return [{
    position: tree.position(path, at),
    path,
    text: guarded(textOf(issue, value), { tree, issue, path }),
  }];
}

function textOf(issue: Issue, value: unknown): string {
  if (issue.message !== unworded) return issue.message;
  if (issue.code === "invalid_key") {
    return `this key is not accepted: ${issue.issues.map((inner) => textOf(inner, "")).join(", ")}`;
  }
  return issue.code === "invalid_union" ? unionText(issue) : describeIssue(issue, value);
}

function unionText(issue: z.core.$ZodIssueInvalidUnion): string {
  if ("options" in issue && issue.options) return `expected one of ${issue.options.join(", ")}`;
  const types = issue.errors.flat().flatMap((inner) =>
    inner.path.length === 0 && inner.code === "invalid_type" ? [expectedName(inner.expected)] : []
  );
  return types.length === 0 ? "not accepted" : `expected ${[...new Set(types)].join(" or ")}`;
}

/** Says where a filled-in value came from, and drops a schema's own words where they repeat such a value. */
function guarded(
  text: string,
  { tree, issue, path }: { tree: SourceTree; issue: Issue; path: ConfigPath },
): string {
  const repeats = issue.message !== unworded &&
    tree.filledPieces(path).some((piece) => text.toLowerCase().includes(piece.toLowerCase()));
  const filled = tree.filledAt(path);
  return (repeats ? "the value is not accepted" : text) + (filled ? ` (it comes from ${filled.source})` : "");
}
