import { isObject, type JsonObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import { readEventStream } from "./event_stream.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { ProgressBar } from "./progress_bar.ts";
import { createTable, printFields } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface VerifyOptions {
  readonly from?: number;
  readonly expect?: string;
}

/** The agent tells of its progress several times a second. */
const idleTimeoutMs = 30_000;
/** Findings shown behind the first one. */
const maxShown = 20;

/** `events verify`: walks the log of an agent; 1 where anything is wrong with it. */
export async function verifyEvents(invocation: Invocation<VerifyOptions>): Promise<number> {
  const { terminal, options } = invocation;
  const client = await openClient(invocation);
  const body = await client.stream("/api/events/verify", { from_seq: options.from, expect: options.expect });
  const result = await readResult(body, terminal);
  if (options.json) printJson(terminal, result);
  else print(result, terminal);
  return result.ok === true ? exitCode.ok : exitCode.failed;
}

async function readResult(body: ReadableStream<Uint8Array>, terminal: Terminal): Promise<JsonObject> {
  using bar = new ProgressBar(terminal, "Verifying");
  let firstSeq: number | undefined;
  for await (const message of readEventStream(body, { idleTimeoutMs })) {
    const data: unknown = JSON.parse(message.data);
    if (!isObject(data)) continue;
    if (message.event === "result") return data;
    if (message.event === "error") {
      throw new CliError(`Cannot verify the log: ${oneLine(data.detail)}`, { exitCode: exitCode.failed });
    }
    const [next, to] = [Number(data.next_seq), Number(data.to_seq)];
    firstSeq ??= next;
    bar.update({ events: next - firstSeq, part: next / to });
  }
  throw new CliError("Cannot verify the log: the agent closed the connection before it was done", {
    exitCode: exitCode.failed,
    hint: "Was it stopped? Verify again when it runs.",
  });
}

function print(result: JsonObject, terminal: Terminal): void {
  const findings = Array.isArray(result.findings) ? result.findings.filter(isObject) : [];
  const head = isObject(result.head) ? result.head : {};
  const [first, ...others] = findings;
  printFields(terminal, {
    verified: `${Number(result.events).toLocaleString("en")} events from ${oneLine(result.from_seq)} on`,
    result: first ? `${oneLine(result.finding_count)} ${others.length > 0 ? "faults" : "fault"}` : "intact",
    "first broken": first?.detail,
    head: typeof head.hash === "string" ? `${oneLine(head.seq)}:${head.hash}` : undefined,
  }, { styles: { result: first ? "red" : "green" } });
  printRemoved(result, terminal);
  for (const finding of others.slice(0, maxShown)) terminal.print(oneLine(finding.detail));
  const more = Number(result.finding_count) - 1 - maxShown;
  if (more > 0) terminal.print(`… and ${more.toLocaleString("en")} more; --json shows a hundred.`);
  if (!first) {
    terminal.note("Note the head elsewhere, and give it as --expect next time: who can write the whole");
  }
  if (!first) terminal.note("database could compute the whole chain anew.");
}

function printRemoved(result: JsonObject, terminal: Terminal): void {
  const removed = Array.isArray(result.removed) ? result.removed.filter(isObject) : [];
  if (removed.length === 0) return;
  terminal.print("");
  createTable<JsonObject>(terminal, [
    { title: "REMOVED", value: ({ events }) => events, align: "right" },
    { title: "GAPS", value: ({ gaps }) => gaps, align: "right" },
    { title: "SIGNED BY", value: ({ signer }) => signer },
  ])(removed);
}
