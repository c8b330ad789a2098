/** Linux counts processor time in hundredths of a second, whatever the kernel's own clock is. */
const ticksPerSecond = 100;

/**
 * Seconds of processor time, user and system, that a process has used so far; undefined where the system has no
 * `/proc`. Work per processor second says what something costs even when the load generator, or another program on
 * the machine, is what limits the rate.
 */
export function cpuSecondsOf(pid: number): number | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  // The second field is the program's name in brackets, which may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
