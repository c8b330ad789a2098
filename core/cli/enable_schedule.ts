import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printSchedule } from "./print_schedule.ts";
import { schedulePath } from "./schedule_path.ts";

/** `schedules enable ID`: lets a schedule run, from now on. */
export async function enableSchedule(invocation: Invocation): Promise<number> {
  const client = await openClient(invocation);
  printSchedule(invocation, await client.request("POST", schedulePath(invocation.operands[0], "enable")));
  return exitCode.ok;
}
