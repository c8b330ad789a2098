/** What a packed program was built from. */
export interface Build {
  /** The first 12 digits; `-dirty` behind them where the tree held changes, or whatever the builder called it. */
  readonly commit: string;
  /** RFC 3339; null where the builder told none. */
  readonly time: string | null;
}

/** Where the first line of a packed program leaves its build; scripts/compile/bundle_program.ts writes that line. */
export const buildKey = "commandcenterBuild";

/** What this program was built from; undefined where it runs from its sources. */
export const build: Build | undefined = (globalThis as { [buildKey]?: Build })[buildKey];
