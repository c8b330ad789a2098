import leven from "leven";

/** Longest name for which a neighbour is looked for. */
const maxCharacters = 64;

/** The one of `known` that was probably meant by `written`, or undefined where nothing is near. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  if (written.length > maxCharacters) return undefined;
  const word = written.toLowerCase();
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const other = name.toLowerCase();
    const allowed = Math.min(Math.max(2, Math.floor(other.length / 3)), other.length - 1);
    const distance = leven(word, other, { maxDistance: allowed + 1 });
    if (distance <= allowed && distance < (best?.distance ?? Infinity)) best = { name, distance };
  }
  return best?.name;
}

/** `; did you mean "port"?`, or nothing. */
export function didYouMean(written: string, known: readonly string[]): string {
  const name = nearest(written, known);
  return name === undefined ? "" : `; did you mean "${name}"?`;
}
