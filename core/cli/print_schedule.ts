import { isObject, type JsonObject } from "./client.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { runColumns, whenText } from "./schedule_columns.ts";
import { createTable, printFields } from "./table.ts";

/** Prints a schedule with its next and last runs, as text or as JSON. */
export function printSchedule({ terminal, options }: Invocation, schedule: JsonObject): void {
  if (options.json) return printJson(terminal, schedule);
  const { window } = schedule;
  const rate = schedule.success_rate;
  printFields(terminal, {
    id: schedule.id,
    name: schedule.name,
    state: schedule.state,
    blocked: schedule.blocked_reason,
    job: schedule.job,
    input: schedule.input,
    when: whenText(schedule),
    from: isObject(window) ? window.from : null,
    to: isObject(window) ? window.to : null,
    project: schedule.project,
    priority: schedule.priority === 0 ? null : schedule.priority,
    missed: schedule.missed,
    overlap: schedule.overlap,
    next: Array.isArray(schedule.next_runs) ? schedule.next_runs.join(", ") : null,
    succeeded: typeof rate === "number" ? `${Math.round(rate * 100)}%` : null,
    created: schedule.created_at,
    created_by: schedule.created_by,
  }, { styles: { state: schedule.state === "blocked" ? "red" : undefined, blocked: "red" } });
  const runs = Array.isArray(schedule.runs) ? schedule.runs.filter(isObject) : [];
  if (runs.length > 0) {
    terminal.print("");
    createTable(terminal, runColumns)(runs);
  }
  const conflicts = Array.isArray(schedule.conflicts) ? schedule.conflicts.filter(isObject) : [];
  for (const { name, id, at } of conflicts) {
    terminal.note(
      `"${oneLine(name)}" (${oneLine(id)}) starts the same job within a minute of it, at ${oneLine(at)}.`,
    );
  }
}
