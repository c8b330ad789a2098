import { resolve } from "node:path";
import type { Fault } from "./fault.ts";
import { readFailure, type ReadFile } from "./read_limited.ts";
import type { Template } from "./read_yaml.ts";
import { type SourceTree, unusable } from "./source_tree.ts";

/** Largest file that `${file:PATH}` takes in. */
const maxFileBytes = 64 * 1024;

const placeholder = /\$\$\{|\$\{(?:(env|file):([^{}]*)\})?/g;

/** Where placeholders get their text from. */
export interface PlaceholderSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly folder: string;
  readonly readFile: ReadFile;
}

/** Fills `${env:NAME}` and `${file:PATH}` in the tree (`$${` stands for `${`); what comes in is text, never YAML. */
export async function fillPlaceholders(
  tree: SourceTree,
  options: { templates: readonly Template[]; sources: PlaceholderSources },
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const { path, text } of options.templates) {
    const { result, pieces, source, problems } = await fill(text, options.sources);
    tree.set(path, problems.length > 0 ? unusable : result);
    if (pieces.length > 0) tree.markFilled(path, { source, pieces, whole: source === text });
    for (const problem of problems) {
      faults.push({ position: tree.position(path, "value"), path, text: problem });
    }
  }
  return faults;
}

interface FilledText {
  readonly result: string;
  readonly pieces: readonly string[];
  /** The placeholders as written. */
  readonly source: string;
  readonly problems: readonly string[];
}

async function fill(text: string, sources: PlaceholderSources): Promise<FilledText> {
  const pieces: string[] = [];
  const written: string[] = [];
  const problems: string[] = [];
  let result = "";
  let end = 0;
  for (const match of text.matchAll(placeholder)) {
    result += text.slice(end, match.index);
    end = match.index + match[0].length;
    if (match[0] === "$${") {
      result += "${";
      continue;
    }
    try {
      const piece = await lookUp(match, sources);
      result += piece;
      pieces.push(piece);
      written.push(match[0]);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      problems.push(error.message);
    }
  }
  return { result: result + text.slice(end), pieces, source: written.join(" and "), problems };
}

class Unavailable extends Error {}

function lookUp(match: RegExpExecArray, sources: PlaceholderSources): string | Promise<string> {
  const [, kind, name = ""] = match;
  if (kind === "env") return fromEnvironment(name, sources);
  if (kind === "file") return fromFile(name, sources);
  throw new Unavailable('expected ${env:NAME} or ${file:PATH}; write "$${" for a plain "${"');
}

function fromEnvironment(name: string, { env }: PlaceholderSources): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Unavailable("${env:…} needs the name of a variable");
  const value = env[name];
  if (typeof value !== "string") throw new Unavailable(`the environment variable ${name} is not set`);
  return value;
}

async function fromFile(name: string, sources: PlaceholderSources): Promise<string> {
  if (name.trim() === "") throw new Unavailable("${file:…} needs a path");
  const path = resolve(sources.folder, name);
  let bytes: Uint8Array;
  try {
    bytes = await sources.readFile(path, maxFileBytes);
  } catch (error) {
    throw new Unavailable(`cannot read the file "${name}": ${readFailure(error)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    throw new Unavailable(`cannot read the file "${name}": it is not UTF-8 text`);
  }
}
