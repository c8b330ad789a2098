import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { jobState } from "./job_columns.ts";
import { jobPath } from "./job_path.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";

/** `jobs cancel ID`: ends a job. */
export async function cancelJob(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const client = await openClient(invocation);
  const job = await client.request("POST", jobPath(id, "cancel"));
  if (options.json) printJson(terminal, job);
  else terminal.print(`The job ${oneLine(id)} is ${oneLine(jobState(job))}.`);
  return exitCode.ok;
}
