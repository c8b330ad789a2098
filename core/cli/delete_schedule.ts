import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { schedulePath } from "./schedule_path.ts";

/** `schedules delete ID`: forgets a schedule; jobs that it has started go on. */
export async function deleteSchedule(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const client = await openClient(invocation);
  await client.request("DELETE", schedulePath(id));
  if (!options.json) terminal.print(`The schedule ${oneLine(id)} is deleted.`);
  return exitCode.ok;
}
