import { isObject, type JsonObject } from "./client.ts";
import type { Style } from "./terminal.ts";
import type { Column } from "./table.ts";

const styles: Readonly<Record<string, Style>> = {
  running: "green",
  waiting: "yellow",
  failed: "red",
  completed: "dim",
  cancelled: "dim",
};

/** What `jobs list` and `jobs watch` show of a job. */
export const jobColumns: readonly Column<JsonObject>[] = [
  { title: "ID", value: (job) => job.id },
  { title: "NAME", value: (job) => job.name, maxWidth: 30, style: () => "cyan" },
  { title: "STATE", value: jobState, style: ({ state }) => styles[String(state)] },
  { title: "PROGRESS", value: (job) => `${Math.floor(Number(job.progress))}%`, align: "right" },
  { title: "ATTEMPT", value: (job) => job.attempt, align: "right" },
  { title: "PROJECT", value: (job) => job.project, maxWidth: 20 },
  { title: "CREATED", value: (job) => job.created_at, style: () => "dim" },
  { title: "MESSAGE", value: (job) => jobFault(job) ?? job.message, maxWidth: 50 },
];

/** The state, with what is remarkable about it. */
export function jobState({ state, cancelling, registered }: JsonObject): string {
  if (cancelling === true) return "cancelling";
  return registered === false && (state === "pending" || state === "waiting")
    ? `${state} (no plugin here)`
    : String(state);
}

/** Why it failed or is to be tried again; undefined for any other job. */
export function jobFault({ state, error }: JsonObject): string | undefined {
  return (state === "failed" || state === "waiting") && isObject(error) ? String(error.message) : undefined;
}
