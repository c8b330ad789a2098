import { isObject, type JsonObject } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { type Column, createTable } from "./table.ts";

const columns: readonly Column<JsonObject>[] = [
  { title: "SEQ", value: (letter) => letter.seq, align: "right" },
  { title: "DIED", value: (letter) => letter.died_at, style: () => "dim" },
  { title: "REASON", value: (letter) => letter.reason },
  { title: "DELIVERIES", value: (letter) => letter.deliveries, align: "right" },
  {
    title: "SUBJECT",
    value: (letter) => isObject(letter.event) ? letter.event.subject : "",
    maxWidth: 40,
    style: () => "cyan",
  },
  { title: "LAST ERROR", value: lastError },
];

/** `consumers dead-letters NAME`: what was given up, and why. */
export async function listConsumerDeadLetters(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [name] } = invocation;
  const client = await openClient(invocation);
  const printRows = createTable(terminal, columns);
  let found = 0;
  for await (const page of client.pages(consumerPath(name, "dead-letters"), {}, { limit: Infinity })) {
    found += page.length;
    if (options.json) page.forEach((letter) => printJson(terminal, letter));
    else if (page.length > 0) printRows(page);
  }
  if (found === 0 && !options.json) terminal.note(`${oneLine(name)} has no dead letters.`);
  return exitCode.ok;
}

function lastError({ errors }: JsonObject): unknown {
  const last: unknown = Array.isArray(errors) ? errors.at(-1) : undefined;
  return isObject(last) ? last.error : "";
}
