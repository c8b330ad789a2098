/** Linux counts processor time in hundredths of a second, whatever the kernel's own clock is. */
const ticksPerSecond = 100;

/**
 * Seconds of processor time, user and system, that a process has used so far; undefined where the system has no
 * `/proc`. Work per processor second says what something costs even when the load generator, or another program on
 * the machine, is what limits the rate.
 */
export function cpuSecondsOf(pid: number): number | undefined {
  const text = readProc(`${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the program's name in brackets, which may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** The same for all programs on all cores together, with what a hypervisor took away. */
export function cpuSecondsOfMachine(): number | undefined {
  const line = readProc("stat")?.split("\n", 1)[0];
  if (line === undefined) return undefined;
  const [user, nice, system, _idle, _waiting, interrupts, softInterrupts, stolen] = line.split(/ +/).slice(1)
    .map(Number);
  return (user! + nice! + system! + interrupts! + softInterrupts! + stolen!) / ticksPerSecond;
}

function readProc(name: string): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
