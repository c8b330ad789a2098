/** One way to obtain something; it rejects with the reason when it leads nowhere. */
export interface Way<Found> {
  readonly name: string;
  readonly take: () => Promise<Found>;
}

/** What came of it: the thing and how it was obtained, or the reasons of every way. */
export type Obtained<Found> =
  | { readonly found: Found; readonly by: string }
  | { readonly missing: string };

/** Rejects a way that does not apply to this machine, which is not worth a line of output. */
export class NotHere extends Error {}

/** Tries the ways in order until one leads somewhere, and says what happened on those that failed. */
export async function obtain<Found>(
  what: string,
  { ways, say }: { readonly ways: readonly Way<Found>[]; readonly say: (line: string) => void },
): Promise<Obtained<Found>> {
  const reasons: string[] = [];
  for (const { name, take } of ways) {
    try {
      return { found: await take(), by: name };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reasons.push(`${name}: ${reason}`);
      if (!(error instanceof NotHere)) say(`${what}: ${name}: ${reason}`);
    }
  }
  return { missing: `none of these ways worked: ${reasons.join("; ")}` };
}
