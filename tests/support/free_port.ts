// Below the range that Linux, macOS and Windows take client ports from: a server that a test stops and starts
// again finds its port still free, and a client that redials a closed port can never connect to itself.
const lowest = 15_000;
const highest = 32_000;
const given = new Set<number>();

/** Finds a TCP port that nobody listens on at 127.0.0.1; never the same one twice in a process. */
export function freePort(): number {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (!given.has(port) && isFree(port)) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`Cannot find "a free port": all tried between ${lowest} and ${highest} are taken`);
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}
