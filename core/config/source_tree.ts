import type { LineCounter } from "yaml";
import { type ConfigPath, pathKey } from "./config_path.ts";
import type { Position } from "./fault.ts";

/** Shorter texts turn up in any sentence by chance. */
const tellingCharacters = 4;

/** Offsets into the text. */
interface Place {
  readonly key: number;
  readonly value: number;
}

/** A value that came, wholly or in part, from the environment or a file, and is therefore never shown. */
export interface Filled {
  /** The placeholder as it is written, such as `${env:PORT}`. */
  readonly source: string;
  /** What was filled in, piece by piece. */
  readonly pieces: readonly string[];
  /** The placeholder is the whole value, so that `"9000"` may stand for a number. */
  readonly whole: boolean;
}

/** Stands for a value of which a fault has been reported already: no further one is reported at it or below it. */
export const unusable: unique symbol = Symbol("unusable");

/** The values of a YAML file, each with its place in the text. */
export class SourceTree {
  readonly #top: { value: unknown } = { value: null };
  readonly #places = new Map<string, Place>();
  readonly #filled = new Map<string, { path: ConfigPath; filled: Filled }>();
  readonly #lines: LineCounter;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  place(path: ConfigPath, place: Place): void {
    this.#places.set(pathKey(path), place);
  }

  /** The value at `path`, or undefined where there is none. */
  get(path: ConfigPath): unknown {
    return path.reduce<unknown>((value, step) => memberOf(value, step), this.#top.value);
  }

  /** Replaces the value at `path`, whose parent has to exist. */
  set(path: ConfigPath, value: unknown): void {
    const last = path.at(-1);
    if (last === undefined) this.#top.value = value;
    else (this.get(path.slice(0, -1)) as Record<string | number, unknown>)[last] = value;
  }

  /** Where the key or the value is; of the nearest parent's key where `path` is not in the file. */
  position(path: ConfigPath, at: "key" | "value"): Position {
    const place = this.#places.get(pathKey(path));
    if (place === undefined) {
      return path.length === 0 ? { line: 1, column: 1 } : this.position(path.slice(0, -1), "key");
    }
    return this.at(place[at]);
  }

  /** Line and column of an offset into the text. */
  at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  markFilled(path: ConfigPath, filled: Filled): void {
    this.#filled.set(pathKey(path), { path, filled });
  }

  filledAt(path: ConfigPath): Filled | undefined {
    return this.#filled.get(pathKey(path))?.filled;
  }

  /** What a fault at `path` must not repeat: all that was filled in there or below, and what is long anywhere else. */
  filledPieces(path: ConfigPath): readonly string[] {
    return [...this.#filled.values()].flatMap((entry) => {
      const near = path.every((step, index) => step === entry.path[index]);
      return entry.filled.pieces.filter((piece) => piece.length >= (near ? 1 : tellingCharacters));
    });
  }

  /** Whether a fault of the value at `path`, or above it, has been reported already. */
  isUnusable(path: ConfigPath): boolean {
    return [[], ...path.map((_, index) => path.slice(0, index + 1))].some((part) =>
      this.get(part) === unusable
    );
  }
}

function memberOf(value: unknown, step: string | number): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
  return (value as Record<string | number, unknown>)[step];
}
