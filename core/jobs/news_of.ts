import type { JobSummary } from "./job_tables.ts";

/** What every event about a job says. */
export function newsOf({ id, name, attempt }: JobSummary): { job_id: string; name: string; attempt: number } {
  return { job_id: id, name, attempt };
}
