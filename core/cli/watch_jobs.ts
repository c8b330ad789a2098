import { setTimeout as delay } from "node:timers/promises";
import { type Client, isObject, type JsonObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import { readEventStream, StreamBroken } from "./event_stream.ts";
import { Interruption } from "./interruption.ts";
import type { Invocation } from "./invocation.ts";
import { jobColumns, jobFault, jobState } from "./job_columns.ts";
import { jobPath } from "./job_path.ts";
import { openClient } from "./open_client.ts";
import { passingFault } from "./passing_fault.ts";
import { printJob } from "./print_job.ts";
import { printJson } from "./print_json.ts";
import { ProgressBar } from "./progress_bar.ts";
import { createTable } from "./table.ts";

/** Three keepalives of the agent. */
const idleTimeoutMs = 45_000;
const firstDelayMs = 250;
const longestDelayMs = 5000;
/** How long an agent may be away, restarting say, before we give up. */
const patienceMs = 60_000;

/** `jobs watch [ID]`: shows how far a job is, to its end; without an id prints all jobs as they change, until Ctrl-C. */
export async function watchJobs(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id] } = invocation;
  const client = await openClient(invocation);
  if (id !== undefined) return await watchOne(invocation, { client, id });
  const printRows = createTable(terminal, jobColumns);
  try {
    for await (const job of changes(invocation, { client, path: "/api/jobs/sse" })) {
      if (options.json) printJson(terminal, job);
      else printRows([job]);
    }
    return exitCode.ok;
  } catch (error) {
    if (terminal.interrupted.reason instanceof Interruption) return exitCode.ok; // its ordinary end
    throw error;
  }
}

async function watchOne(
  invocation: Invocation,
  { client, id }: { client: Client; id: string },
): Promise<number> {
  const { terminal, options } = invocation;
  const name = oneLine((await client.request("GET", jobPath(id))).name);
  using bar = new ProgressBar(terminal, name);
  let told = "";
  for await (const job of changes(invocation, { client, path: jobPath(id, "sse") })) {
    if (isEnd(job)) {
      terminal.progress?.show("");
      printJob(invocation, job);
      return job.state === "completed" ? exitCode.ok : exitCode.failed;
    }
    const note = oneLine(jobFault(job) ?? job.message);
    if (options.json) printJson(terminal, job);
    else if (bar.visible) {
      bar.update({ part: Number(job.progress) / 100, note: job.state === "running" ? note : jobState(job) });
    } else if (job.state !== told) terminal.note(`${name} is ${jobState(job)}.`);
    told = String(job.state);
  }
  throw new CliError(`Cannot watch "${id}": the agent ended the stream`, { exitCode: exitCode.failed });
}

/** Jobs as they change; a lost connection is taken up again. */
async function* changes(
  { terminal }: Invocation,
  { client, path }: { client: Client; path: string },
): AsyncGenerator<JsonObject> {
  let delayMs = firstDelayMs;
  let heardAt = performance.now();
  for (;;) {
    let lost = "the agent closed the connection";
    try {
      for await (const { event, data } of readEventStream(await client.stream(path, {}), { idleTimeoutMs })) {
        const job: unknown = JSON.parse(data);
        if (!isObject(job)) continue;
        heardAt = performance.now();
        delayMs = firstDelayMs;
        if (event === "error") lost = oneLine(job.detail);
        else {
          yield job;
          if (path !== "/api/jobs/sse" && isEnd(job)) return;
        }
      }
    } catch (error) {
      terminal.interrupted.throwIfAborted(); // what ends us breaks the connection too
      lost = error instanceof StreamBroken ? error.message : passingFault(error);
      if (performance.now() - heardAt > patienceMs) throw error;
    }
    terminal.interrupted.throwIfAborted();
    terminal.progress?.show("");
    terminal.note(`Connection lost: ${lost}. Trying again in ${(delayMs / 1000).toFixed(1)} s.`);
    await delay(delayMs, undefined, { signal: terminal.interrupted });
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }
}

function isEnd({ state }: JsonObject): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}
