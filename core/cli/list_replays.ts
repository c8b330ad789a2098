import { isObject, type JsonObject } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { type Column, createTable } from "./table.ts";

const columns: readonly Column<JsonObject>[] = [
  { title: "ID", value: (replay) => replay.id },
  {
    title: "STATE",
    value: (replay) => replay.state,
    style: ({ state }) => state === "running" ? "green" : state === "failed" ? "red" : "dim",
  },
  { title: "REPLAYED", value: (replay) => replay.replayed, align: "right" },
  { title: "POSITION", value: (replay) => `${replay.position}/${replay.of}`, align: "right" },
  { title: "SPEED", value: (replay) => replay.speed === 0 ? "full" : replay.speed, align: "right" },
  { title: "STARTED", value: (replay) => replay.started_at, style: () => "dim" },
  { title: "BY", value: (replay) => replay.started_by, maxWidth: 20 },
  { title: "FILTER", value: filterText, maxWidth: 50 },
  { title: "ERROR", value: (replay) => replay.error, style: () => "red" },
];

/** `events replays`: prints the replays that run, and those that ended not long ago. */
export async function listReplays(invocation: Invocation): Promise<number> {
  const { terminal, options } = invocation;
  const client = await openClient(invocation);
  const printRows = createTable(terminal, columns);
  let found = 0;
  for await (const page of client.pages("/api/events/replay", {}, { limit: Infinity })) {
    found += page.length;
    if (options.json) page.forEach((replay) => printJson(terminal, replay));
    else if (page.length > 0) printRows(page);
  }
  if (found === 0 && !options.json) terminal.note("No replays found.");
  return exitCode.ok;
}

function filterText({ filter }: JsonObject): string {
  if (!isObject(filter)) return "";
  return Object.entries(filter).filter(([name, value]) => name !== "after_seq" || value !== 0)
    .map(([name, value]) => `${name}=${value}`).join(" ");
}
