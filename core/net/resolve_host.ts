import { lookup } from "node:dns/promises";

/** Looks a host name up: all its addresses, in the order in which they are to be tried. Rejects where there are none. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

/** Asks as the machine does: its hosts file, then DNS. */
export async function resolveHost(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}
