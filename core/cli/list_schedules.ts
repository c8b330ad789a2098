import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { scheduleColumns } from "./schedule_columns.ts";
import { createTable } from "./table.ts";

export interface ListSchedulesOptions {
  readonly project?: string;
  readonly job?: string;
  readonly limit: number;
}

/** `schedules list`: prints schedules, the newest first. */
export async function listSchedules(invocation: Invocation<ListSchedulesOptions>): Promise<number> {
  const { terminal, options: { project, job, limit, json } } = invocation;
  const client = await openClient(invocation);
  const printRows = createTable(terminal, scheduleColumns);
  let found = 0;
  for await (const page of client.pages("/api/schedules", { project, job }, { limit })) {
    found += page.length;
    if (json) page.forEach((schedule) => printJson(terminal, schedule));
    else if (page.length > 0) printRows(page);
  }
  if (found === 0 && !json) terminal.note("No schedules found.");
  return exitCode.ok;
}
