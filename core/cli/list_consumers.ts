import type { JsonObject } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { type Column, createTable } from "./table.ts";

const columns: readonly Column<JsonObject>[] = [
  { title: "NAME", value: (consumer) => consumer.name, maxWidth: 40 },
  { title: "SUBJECT", value: (consumer) => consumer.subject, maxWidth: 40, style: () => "cyan" },
  { title: "OWNER", value: (consumer) => consumer.owner ?? "", style: () => "dim" },
  { title: "POSITION", value: (consumer) => consumer.position, align: "right" },
  { title: "LAG", value: (consumer) => consumer.lag, align: "right" },
  { title: "IN FLIGHT", value: (consumer) => consumer.in_flight, align: "right" },
  { title: "WAITING", value: (consumer) => consumer.waiting, align: "right" },
  {
    title: "DEAD",
    value: (consumer) => consumer.dead_letters,
    align: "right",
    style: (consumer) => consumer.dead_letters === 0 ? undefined : "red",
  },
  { title: "STATE", value: (consumer) => consumer.paused ? "paused" : "active" },
];

/** `consumers list`: prints who consumes the event log, and how far each came. */
export async function listConsumers(invocation: Invocation): Promise<number> {
  const { terminal, options } = invocation;
  const client = await openClient(invocation);
  const printRows = createTable(terminal, columns);
  let found = 0;
  for await (const page of client.pages("/api/events/consumers", {}, { limit: Infinity })) {
    found += page.length;
    if (options.json) page.forEach((consumer) => printJson(terminal, consumer));
    else if (page.length > 0) printRows(page);
  }
  if (found === 0 && !options.json) terminal.note("There are no consumers.");
  return exitCode.ok;
}
