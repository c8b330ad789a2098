import type { Target } from "./target.ts";

/** What a runtime needs in order to pack the program. */
export interface Packing {
  /** Path of the bundle. */
  readonly bundle: string;
  /** A folder of its own, in which it leaves the packed file. */
  readonly folder: string;
  readonly target: Target;
  readonly say: (line: string) => void;
}
