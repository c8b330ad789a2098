import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { schedulePath } from "./schedule_path.ts";

/** `schedules disable ID`: has a schedule rest. */
export async function disableSchedule(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const client = await openClient(invocation);
  const schedule = await client.request("POST", schedulePath(id, "disable"));
  if (options.json) printJson(terminal, schedule);
  else terminal.print(`The schedule ${oneLine(id)} rests.`);
  return exitCode.ok;
}
