import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { jobPath } from "./job_path.ts";
import { openClient } from "./open_client.ts";
import { printJob } from "./print_job.ts";

/** `jobs show ID`: a job with its input and result. */
export async function showJob(invocation: Invocation): Promise<number> {
  const client = await openClient(invocation);
  printJob(invocation, await client.request("GET", jobPath(invocation.operands[0])));
  return exitCode.ok;
}
