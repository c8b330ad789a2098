import { isObject, type JsonObject } from "./client.ts";
import type { Column } from "./table.ts";
import type { Style } from "./terminal.ts";

const styles: Readonly<Record<string, Style>> = {
  active: "green",
  blocked: "red",
  disabled: "dim",
  done: "dim",
};

/** What `schedules list` shows of a schedule. */
export const scheduleColumns: readonly Column<JsonObject>[] = [
  { title: "ID", value: (schedule) => schedule.id },
  { title: "NAME", value: (schedule) => schedule.name, maxWidth: 30, style: () => "cyan" },
  { title: "JOB", value: (schedule) => schedule.job, maxWidth: 30 },
  { title: "STATE", value: ({ state }) => state, style: ({ state }) => styles[String(state)] },
  { title: "WHEN", value: whenText, maxWidth: 40 },
  { title: "NEXT", value: nextRun },
  { title: "PROJECT", value: (schedule) => schedule.project, maxWidth: 20 },
];

/** What `schedules show` shows of a run. */
export const runColumns: readonly Column<JsonObject>[] = [
  { title: "PLANNED", value: (run) => run.planned_at },
  { title: "REASON", value: (run) => run.reason },
  {
    title: "STATE",
    value: (run) => run.state,
    style: ({ state }) => state === "failed" ? "red" : undefined,
  },
  { title: "JOB", value: (run) => run.job_id ?? run.note },
];

/** When it runs, in a few words. */
export function whenText({ when, timezone }: JsonObject): string {
  if (!isObject(when)) return "";
  const { kind, at, minute, days, day, pattern } = when;
  const shownDays = Array.isArray(days) ? days.join(",") : day === undefined ? undefined : `day ${day}`;
  const parts = [
    kind,
    pattern,
    minute === undefined ? undefined : `at minute ${minute}`,
    shownDays,
    at,
    timezone,
  ];
  return parts.filter((part) => part !== undefined).map(String).join(" ");
}

function nextRun({ next_runs: next }: JsonObject): unknown {
  return Array.isArray(next) ? next[0] : undefined;
}
