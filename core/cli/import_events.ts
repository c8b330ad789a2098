import { type Client, isObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { type ImportSource, type LineBatch, lineBatches, openSource } from "./import_lines.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { ProgressBar } from "./progress_bar.ts";
import { printFields } from "./table.ts";

/** What has come in so far. */
interface Imported {
  events: number;
  duplicates: number;
}

/** `events import FILE`: takes in what `events export` wrote; what the log has already is left as it is. */
export async function importEvents(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [path] } = invocation;
  const client = await openClient(invocation);
  const source = openSource(path!, terminal);
  const imported: Imported = { events: 0, duplicates: 0 };
  try {
    using bar = new ProgressBar(terminal, "Importing");
    for await (const batch of lineBatches(source)) {
      await send(client, { batch, source, imported });
      bar.update({ events: imported.events, part: source.part() });
    }
  } catch (error) {
    if (imported.events > 0) {
      terminal.note(
        `${
          imported.events.toLocaleString("en")
        } events are in. Run it again to go on: they count as duplicates.`,
      );
    }
    throw error;
  }
  const { events, duplicates } = imported;
  const result = { events, new: events - duplicates, duplicates };
  if (options.json) printJson(terminal, result);
  else printFields(terminal, result);
  return exitCode.ok;
}

async function send(
  client: Client,
  { batch, source, imported }: { batch: LineBatch; source: ImportSource; imported: Imported },
): Promise<void> {
  try {
    const answer = await client.request("POST", "/api/events/import", { lines: batch.bytes });
    imported.events += batch.numbers.length;
    imported.duplicates += Number(answer.duplicates);
  } catch (error) {
    throw error instanceof CliError ? named(error, { batch, source }) : error;
  }
}

/** The fault with the number of the line where the agent names its place in the batch. */
function named(error: CliError, { batch, source }: { batch: LineBatch; source: ImportSource }): CliError {
  const errors = Array.isArray(error.problem?.errors) ? error.problem.errors.filter(isObject) : [];
  const [first] = errors;
  const line = batch.numbers[Number(first?.index)];
  if (first === undefined || line === undefined) return error;
  const others = errors.slice(1).map(({ index }) => batch.numbers[Number(index)]);
  const shown = others.length > 10
    ? `${others.slice(0, 10).join(", ")} and ${others.length - 10} more`
    : others.join(", ");
  return new CliError(`Cannot import line ${line} of ${source.name}: ${first.detail}`, {
    exitCode: error.exitCode,
    hint: others.length === 0 ? undefined : `There is a fault in these lines too: ${shown}.`,
    status: error.status,
    correlationId: error.correlationId,
    cause: error,
  });
}
