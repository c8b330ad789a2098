import type { JsonObject } from "./client.ts";
import { oneLine } from "./escape_controls.ts";
import type { Column } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Columns of a table of events; on a terminal the longer ones are cut. */
export const eventColumns: readonly Column<JsonObject>[] = [
  { title: "SEQ", value: (event) => event.seq, align: "right" },
  { title: "TIME", value: (event) => event.timestamp, style: () => "dim" },
  { title: "SUBJECT", value: (event) => event.subject, maxWidth: 50, style: () => "cyan" },
  { title: "PROJECT", value: (event) => event.project, maxWidth: 20 },
  { title: "CORRELATION", value: (event) => event.correlation_id, maxWidth: 11, style: () => "dim" },
  { title: "PAYLOAD", value: (event) => event.payload },
];

/** One event as one line, as `follow` prints it: sequence, time, subject, project where there is one, payload. */
export function eventLine(event: JsonObject, terminal: Terminal): string {
  const parts = [
    oneLine(event.seq),
    terminal.paint("dim", oneLine(event.timestamp)),
    terminal.paint("cyan", oneLine(event.subject)),
    event.project ? `[${oneLine(event.project)}]` : "",
    oneLine(event.payload),
  ];
  return parts.filter((part) => part !== "").join("  ");
}
