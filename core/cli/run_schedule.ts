import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { schedulePath } from "./schedule_path.ts";

/** `schedules run ID`: starts the job of a schedule now. */
export async function runSchedule(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const client = await openClient(invocation);
  const run = await client.request("POST", schedulePath(id, "run"));
  if (options.json) printJson(terminal, run);
  else {
    const job = oneLine(run.job_id);
    terminal.print(`The schedule ${oneLine(id)} has started the job ${job}.`);
    terminal.note(`Follow it with: commandcenter jobs watch ${job}`);
  }
  return exitCode.ok;
}
