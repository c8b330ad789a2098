import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { Client, JsonObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { ProgressBar } from "./progress_bar.ts";
import { printFields } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface ReplayOptions {
  readonly subject?: string;
  readonly type?: string;
  readonly since?: string;
  readonly until?: string;
  readonly correlationId?: string;
  readonly project?: string;
  readonly origin?: string;
  readonly afterSeq?: number;
  readonly untilSeq?: number;
  readonly speed?: number;
  readonly maxGap?: string;
  readonly detach?: boolean;
}

/** How often the agent is asked how far it is. */
const pollMs = 200;
/** How long an agent may be away, restarting say, before we give up. */
const patienceMs = 60_000;
/** How long cancelling may take once we are asked to end. */
const cancelMs = 5000;

/** `events replay`: has the agent publish stored events once more, and shows how far it is until that ends. */
export async function replayEvents(invocation: Invocation<ReplayOptions>): Promise<number> {
  const { terminal, options } = invocation;
  const client = await openClient(invocation);
  const started = await client.request("POST", "/api/events/replay", {
    body: {
      subject: options.subject,
      type: options.type,
      since: options.since,
      until: options.until,
      correlation_id: options.correlationId,
      project: options.project,
      origin: options.origin,
      after_seq: options.afterSeq,
      until_seq: options.untilSeq,
      speed: options.speed,
      max_gap: options.maxGap,
    },
  });
  if (options.detach) {
    print(invocation, started);
    return exitCode.ok;
  }
  const id = String(started.id);
  terminal.note(`It is published under ${oneLine(started.subject)}; Ctrl-C cancels it.`);
  try {
    const ended = await watch(client, { id, terminal });
    print(invocation, ended);
    return ended.state === "completed" ? exitCode.ok : exitCode.failed;
  } catch (error) {
    if (terminal.interrupted.aborted) await cancel(invocation, id);
    throw error;
  }
}

function print({ terminal, options }: Invocation<ReplayOptions>, replay: JsonObject): void {
  if (options.json) return printJson(terminal, replay);
  const { id, state, subject, replayed, skipped, position, of, error } = replay;
  printFields(terminal, {
    id,
    state,
    subject,
    replayed,
    skipped: skipped === 0 ? null : skipped,
    position,
    of,
    error,
  });
}

/** Shows the progress; resolves to the replay once it has ended. */
async function watch(
  client: Client,
  { id, terminal }: { id: string; terminal: Terminal },
): Promise<JsonObject> {
  using bar = new ProgressBar(terminal, "Replaying");
  let told: unknown = null;
  let answeredAt = performance.now();
  for (;;) {
    let trouble: unknown;
    try {
      const replay = await client.request("GET", `/api/events/replay/${encodeURIComponent(id)}`);
      if (replay.state !== "running") return replay;
      answeredAt = performance.now();
      bar.update({ events: Number(replay.replayed), part: partOf(replay) });
      trouble = replay.error;
    } catch (error) {
      if (!isPassing(error) || performance.now() - answeredAt > patienceMs) throw error;
      trouble = messageOf(error);
    }
    if (trouble !== null && trouble !== told) {
      terminal.progress?.show("");
      terminal.note(`Waiting: ${oneLine(trouble)}`);
    }
    told = trouble;
    await delay(pollMs, undefined, { signal: terminal.interrupted });
  }
}

function partOf({ position, of, filter }: JsonObject): number {
  const after = Number((filter as JsonObject | undefined)?.after_seq ?? 0);
  return Math.max(0, Number(position) - after) / Math.max(1, Number(of) - after);
}

/** Whether the replay may well go on although the agent did not tell. */
function isPassing(error: unknown): boolean {
  return error instanceof CliError &&
    (error.exitCode === exitCode.unreachable || error.status === 429 || (error.status ?? 0) >= 500);
}

/** We were told to end, and so may not wait for what the signal has broken off: with a deadline of its own. */
async function cancel(invocation: Invocation<ReplayOptions>, id: string): Promise<void> {
  const { terminal } = invocation;
  try {
    const client = await openClient({
      ...invocation,
      terminal: { ...terminal, interrupted: AbortSignal.timeout(cancelMs) },
    });
    const { state } = await client.request("DELETE", `/api/events/replay/${encodeURIComponent(id)}`);
    terminal.note(`The replay ${id} is ${oneLine(state)}.`);
  } catch (error) {
    terminal.note(`The replay ${id} goes on: ${oneLine(messageOf(error))}`);
    terminal.note(`  Cancel it with: commandcenter events cancel-replay ${id}`);
  }
}
