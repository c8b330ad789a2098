import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { jobColumns } from "./job_columns.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { createTable } from "./table.ts";

export interface ListJobsOptions {
  readonly state?: string;
  readonly name?: string;
  readonly project?: string;
  readonly since?: string;
  readonly limit: number;
}

/** `jobs list`: prints jobs, the newest first. */
export async function listJobs(invocation: Invocation<ListJobsOptions>): Promise<number> {
  const { terminal, options } = invocation;
  const { state, name, project, since, limit } = options;
  const query = { state, name, project, since };
  const client = await openClient(invocation);
  const printRows = createTable(terminal, jobColumns);
  let found = 0;
  for await (const page of client.pages("/api/jobs", query, { limit })) {
    found += page.length;
    if (options.json) page.forEach((job) => printJson(terminal, job));
    else if (page.length > 0) printRows(page);
  }
  if (found === 0 && !options.json) terminal.note("No jobs found.");
  return exitCode.ok;
}
