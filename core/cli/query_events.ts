import type { QueryParameters } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import { eventColumns } from "./event_columns.ts";
import { openClient } from "./open_client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { createTable } from "./table.ts";

export interface QueryOptions {
  readonly subject?: string;
  readonly type?: string;
  readonly since?: string;
  readonly until?: string;
  readonly correlationId?: string;
  readonly project?: string;
  readonly origin?: string;
  readonly afterSeq?: number;
  readonly order?: string;
  readonly limit: number;
  readonly all?: boolean;
}

/** `events query`: prints stored events, page after page. */
export async function queryEvents(invocation: Invocation<QueryOptions>): Promise<number> {
  const { terminal, options } = invocation;
  const client = await openClient(invocation);
  const query: QueryParameters = {
    subject: options.subject,
    type: options.type,
    since: options.since,
    until: options.until,
    correlation_id: options.correlationId,
    project: options.project,
    origin: options.origin,
    after_seq: options.afterSeq,
    order: options.order,
  };
  const printRows = createTable(terminal, eventColumns);
  const limit = options.all ? Infinity : options.limit;
  let found = 0;
  for await (const page of client.pages("/api/events", query, { limit })) {
    found += page.length;
    if (options.json) page.forEach((event) => printJson(terminal, event));
    else if (page.length > 0) printRows(page);
  }
  if (found === 0 && !options.json) terminal.note("No events found.");
  return exitCode.ok;
}
