import type { JsonObject } from "./client.ts";
import type { Invocation } from "./invocation.ts";
import { jobFault, jobState } from "./job_columns.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";

/** Prints a job with its input and result, as text or as JSON. */
export function printJob({ terminal, options }: Invocation, job: JsonObject): void {
  if (options.json) return printJson(terminal, job);
  printFields(terminal, {
    id: job.id,
    name: job.name,
    state: jobState(job),
    progress: `${Math.floor(Number(job.progress))}%`,
    message: job.message,
    error: jobFault(job),
    attempt: job.attempt,
    project: job.project,
    priority: job.priority === 0 ? null : job.priority,
    dedupe_key: job.dedupe_key,
    node: job.node_id,
    created: job.created_at,
    created_by: job.created_by,
    run_at: job.state === "pending" || job.state === "waiting" ? job.run_at : null,
    started: job.started_at,
    ended: job.ended_at,
    correlation_id: job.correlation_id,
    input: job.input,
    result: job.result,
  }, { styles: { state: job.state === "failed" ? "red" : undefined, error: "red" } });
}
