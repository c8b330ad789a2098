import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { jobPath } from "./job_path.ts";
import { openClient } from "./open_client.ts";

/** `jobs delete ID`: forgets a job that has ended. */
export async function deleteJob(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const client = await openClient(invocation);
  await client.request("DELETE", jobPath(id));
  if (!options.json) terminal.print(`The job ${oneLine(id)} is deleted.`);
  return exitCode.ok;
}
