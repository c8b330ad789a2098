import type { CommandParts, Parser } from "./program.ts";

/** `jobs`: background work. */
export function describeJobs(jobs: Parser, { run, count }: CommandParts): void {
  const one = (name: string, description: string) =>
    jobs.command(name).description(description).argument("<id>", "id of the job");
  jobs.command("list").description("list jobs, the newest first")
    .option("--state <STATE>", "pending, waiting, running, completed, failed or cancelled")
    .option("--name <NAME>", "only jobs of that name")
    .option("--project <SLUG>", "only jobs for that project")
    .option("--since <TIME>", "enqueued since: RFC 3339, or 15m, 2h, 7d ago")
    .option("--limit <COUNT>", "jobs at the most", count, 100)
    .action(run(async () => (await import("./list_jobs.ts")).listJobs));
  one("show", "show a job with its input and result")
    .action(run(async () => (await import("./show_job.ts")).showJob));
  jobs.command("watch").description("follow a job to its end, or all jobs until Ctrl-C")
    .argument("[id]", "id of the job (default: all)")
    .action(run(async () => (await import("./watch_jobs.ts")).watchJobs));
  one("cancel", "end a job; one that runs ends within seconds")
    .action(run(async () => (await import("./cancel_job.ts")).cancelJob));
  one("retry", "have a job that failed or was cancelled begin anew")
    .action(run(async () => (await import("./retry_job.ts")).retryJob));
  one("delete", "forget a job that has ended")
    .action(run(async () => (await import("./delete_job.ts")).deleteJob));
}
