import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printSchedule } from "./print_schedule.ts";
import { schedulePath } from "./schedule_path.ts";

/** `schedules show ID`: a schedule with its next and last runs. */
export async function showSchedule(invocation: Invocation): Promise<number> {
  const client = await openClient(invocation);
  printSchedule(invocation, await client.request("GET", schedulePath(invocation.operands[0])));
  return exitCode.ok;
}
