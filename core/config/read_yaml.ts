import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import type { ConfigPath } from "./config_path.ts";
import type { Fault } from "./fault.ts";
import { SourceTree, unusable } from "./source_tree.ts";

/** Levels of nesting, and values in all (aliases count each time), that a configuration may have. */
const maxDepth = 32;
const maxValues = 100_000;

/** A text value that holds `${`. */
export interface Template {
  readonly path: ConfigPath;
  readonly text: string;
}

/** What a YAML file holds; `faults` are of values that cannot be used, for which the tree holds nothing. */
export interface YamlContent {
  readonly tree: SourceTree;
  readonly templates: readonly Template[];
  readonly faults: readonly Fault[];
}

/** Parses YAML 1.2, or returns only what is wrong with its syntax. Never throws. */
export function readYaml(text: string): YamlContent | { readonly syntaxFaults: readonly Fault[] } {
  const lines = new LineCounter();
  const tree = new SourceTree(lines);
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // anything but a stack that ran out is our own mistake
    return { syntaxFaults: [{ position: tree.at(0), path: [], text: tooDeep }] };
  }
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    return {
      syntaxFaults: problems.map((error) => ({
        position: tree.at(error.pos[0]),
        path: [],
        text: syntaxText(error),
      })),
    };
  }
  const builder = new TreeBuilder(document, tree);
  builder.build();
  return { tree, templates: builder.templates, faults: builder.faults };
}

const tooDeep = `nested more than ${maxDepth} levels deep`;

/** The parser's own words, except where they would repeat a piece of the file, which may be a secret. */
function syntaxText({ code, message }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return 'bad YAML: only one document is allowed; remove the "---"';
  if (code === "UNEXPECTED_TOKEN") return `bad YAML: ${message.split(":", 1)[0]}`;
  return `bad YAML: ${message}`;
}

class TreeBuilder {
  readonly faults: Fault[] = [];
  readonly templates: Template[] = [];
  readonly #document: Document.Parsed;
  readonly #tree: SourceTree;
  #values = 0;

  constructor(document: Document.Parsed, tree: SourceTree) {
    this.#document = document;
    this.#tree = tree;
  }

  build(): void {
    const root = this.#document.contents;
    this.#place([], { value: root });
    this.#tree.set([], this.#value(root, []));
  }

  #value(node: unknown, path: ConfigPath): unknown {
    if (++this.#values > maxValues) {
      // Only the first: an alias bomb would bring one for every value.
      return this.#values === maxValues + 1
        ? this.#refuse(node, [], `more than ${maxValues} values`)
        : unusable;
    }
    if (path.length > maxDepth) return this.#refuse(node, [], tooDeep);
    if (node === null || node === undefined) return null;
    if (isAlias(node)) {
      const anchored = node.resolve(this.#document);
      return anchored
        ? this.#value(anchored, path)
        : this.#refuse(node, path, "this alias has no anchor before it");
    }
    if (isMap(node)) return this.#mapping(node, path);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        this.#place([...path, index], { value: item });
        return this.#value(item, [...path, index]);
      });
    }
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === "string" && value.includes("${")) this.templates.push({ path, text: value });
    if (value === null || ["string", "number", "boolean"].includes(typeof value)) return value;
    return this.#refuse(node, path, "only text, numbers, true and false can be written here");
  }

  #mapping(map: YAMLMap, path: ConfigPath): Record<string, unknown> {
    // Without a prototype, `__proto__` is a key like any other.
    const object: Record<string, unknown> = Object.create(null);
    for (const { key, value } of map.items) {
      const name = isScalar(key) && key.value !== null ? String(key.value) : undefined;
      if (name === undefined) {
        this.#refuse(key ?? map, path, "a key has to be plain text");
      } else if (Object.hasOwn(object, name)) {
        this.#refuse(key, [...path, name], "duplicate key");
      } else {
        this.#place([...path, name], { key, value });
        object[name] = this.#value(value, [...path, name]);
      }
    }
    return object;
  }

  #place(path: ConfigPath, { key, value }: { key?: unknown; value: unknown }): void {
    const at = offsetOf(value) ?? offsetOf(key) ?? 0;
    this.#tree.place(path, { key: offsetOf(key) ?? at, value: at });
  }

  #refuse(node: unknown, path: ConfigPath, text: string): typeof unusable {
    this.faults.push({ position: this.#tree.at(offsetOf(node) ?? 0), path, text });
    return unusable;
  }
}

function offsetOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] } | null | undefined)?.range?.[0];
}
