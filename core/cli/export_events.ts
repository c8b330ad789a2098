import type { Client, JsonObject, QueryParameters } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { ExportFile } from "./export_file.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { ProgressBar } from "./progress_bar.ts";

export interface ExportOptions {
  readonly subject?: string;
  readonly type?: string;
  readonly since?: string;
  readonly until?: string;
  readonly correlationId?: string;
  readonly project?: string;
  readonly origin?: string;
  readonly afterSeq?: number;
  readonly gzip?: boolean;
  readonly resume?: boolean;
}

/** `events export [FILE]`: writes stored events as JSON, one on each line, to a file or to standard output. */
export async function exportEvents(invocation: Invocation<ExportOptions>): Promise<number> {
  const { terminal, options, operands: [path] } = invocation;
  const client = await openClient(invocation);
  if (path === undefined || path === "-") {
    if (options.gzip || options.resume) {
      throw new CliError("Cannot use --gzip and --resume without a file", {
        exitCode: exitCode.usage,
        hint: "Name a file, or leave them out and pipe into gzip.",
      });
    }
    for await (const page of client.pages("/api/events", queryOf(options, 0), { limit: Infinity })) {
      page.forEach((event) => printJson(terminal, event));
    }
    return exitCode.ok;
  }
  await using file = await ExportFile.open(path, {
    resume: options.resume ?? false,
    gzip: options.gzip ?? path.endsWith(".gz"),
  });
  const events = await writeEvents(client, { invocation, file });
  const result = { file: path, events, resumed_after_seq: file.lastSeq || undefined };
  if (options.json) printJson(terminal, result);
  else terminal.note(`${events.toLocaleString("en")} events written to ${path}.`);
  return exitCode.ok;
}

async function writeEvents(
  client: Client,
  { invocation: { terminal, options }, file }: { invocation: Invocation<ExportOptions>; file: ExportFile },
): Promise<number> {
  const query = queryOf(options, file.lastSeq);
  using bar = new ProgressBar(terminal, "Exporting");
  const first = Number(query.after_seq);
  const last = bar.visible ? await lastSeq(client, query) : 0;
  let events = 0;
  for await (const page of client.pages("/api/events", query, { limit: Infinity })) {
    if (page.length === 0) continue;
    await file.add(page.map((event) => `${JSON.stringify(event)}\n`).join(""));
    events += page.length;
    bar.update({ events, part: (Number(page.at(-1)!.seq) - first) / Math.max(last - first, 1) });
  }
  await file.flush();
  return events;
}

/** Sequence of the last event that will be exported, as it looks now. */
async function lastSeq(client: Client, query: QueryParameters): Promise<number> {
  for await (const [event] of client.pages("/api/events", { ...query, order: "desc" }, { limit: 1 })) {
    if (event) return Number((event as JsonObject).seq);
  }
  return 0;
}

function queryOf(options: ExportOptions, fileSeq: number): QueryParameters {
  return {
    subject: options.subject,
    type: options.type,
    since: options.since,
    until: options.until,
    correlation_id: options.correlationId,
    project: options.project,
    origin: options.origin,
    after_seq: Math.max(options.afterSeq ?? 0, fileSeq),
  };
}
