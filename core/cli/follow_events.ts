import { setTimeout as delay } from "node:timers/promises";
import { type Client, isObject, type JsonObject } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import { eventLine } from "./event_columns.ts";
import { readEventStream, StreamBroken } from "./event_stream.ts";
import { openClient } from "./open_client.ts";
import { Interruption } from "./interruption.ts";
import type { Invocation } from "./invocation.ts";
import { passingFault } from "./passing_fault.ts";
import { printJson } from "./print_json.ts";

export interface FollowOptions {
  readonly subject?: string;
  readonly afterSeq?: number;
  readonly since?: string;
}

/** Three keepalives of the agent. */
const idleTimeoutMs = 45_000;
const firstDelayMs = 250;
const longestDelayMs = 15_000;

/** Where the output stands: everything up to this sequence has been printed. */
interface Position {
  seq: number;
}

/**
 * `events follow`: prints events as they come, until it is interrupted, which is its ordinary end. A lost connection
 * is taken up again behind the last event that was printed, so that none is missing and none comes twice.
 */
export async function followEvents(invocation: Invocation<FollowOptions>): Promise<number> {
  const { terminal, options } = invocation;
  try {
    const client = await openClient(invocation);
    const position: Position = { seq: options.afterSeq ?? await startingPoint(client, options) };
    const print = (event: JsonObject) =>
      options.json ? printJson(terminal, event) : terminal.print(eventLine(event, terminal));
    const connect = () =>
      client.stream("/api/events/sse", { subject: options.subject, after_seq: position.seq });

    let attempt: ReadableStream<Uint8Array> | string = await connect();
    let delayMs = firstDelayMs;
    while (true) {
      const connectedAt = performance.now();
      const lost = typeof attempt === "string" ? attempt : await printStream(attempt, position, print);
      terminal.interrupted.throwIfAborted(); // what ends us breaks the connection too
      if (performance.now() - connectedAt > longestDelayMs) delayMs = firstDelayMs;
      const waitMs = Math.round(delayMs * (0.75 + Math.random() / 2));
      terminal.note(`Connection lost: ${lost}. Trying again in ${(waitMs / 1000).toFixed(1)} s.`);
      await delay(waitMs, undefined, { signal: terminal.interrupted });
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      attempt = await connect().catch(passingFault);
      if (typeof attempt !== "string") {
        terminal.note(`Connected again, going on after event ${position.seq}.`);
      }
    }
  } catch (error) {
    if (terminal.interrupted.reason instanceof Interruption) return exitCode.ok;
    throw error;
  }
}

/** Prints what the stream brings and moves the position along; resolves to the reason why it ended. */
async function printStream(
  body: ReadableStream<Uint8Array>,
  position: Position,
  print: (event: JsonObject) => void,
): Promise<string> {
  let reason = "the agent closed the connection";
  try {
    for await (const message of readEventStream(body, { idleTimeoutMs })) {
      const data = parseObject(message.data);
      const seq = Number(data?.seq);
      // Anything but an event is a remark of the agent: why it is about to close.
      if (!data || message.event !== undefined || !Number.isSafeInteger(seq)) {
        reason = oneLine(data?.detail ?? message.data);
      } else if (seq > position.seq) {
        print(data);
        position.seq = seq;
      }
    }
  } catch (error) {
    if (!(error instanceof StreamBroken)) throw error;
    reason = error.message;
  }
  return reason;
}

/**
 * The sequence behind which to begin: that before the first event since then, else the newest one. Asked for even when
 * only new events are wanted: without it, events that come before the first connection breaks would have no anchor.
 */
async function startingPoint(client: Client, { since, subject }: FollowOptions): Promise<number> {
  const seqOfFirst = async (query: Record<string, string | undefined>) => {
    for await (const [first] of client.pages("/api/events", query, { limit: 1 })) {
      if (first) return Number(first.seq);
    }
    return undefined;
  };
  const newest = await seqOfFirst({ order: "desc" }) ?? 0;
  if (since === undefined) return newest;
  const first = await seqOfFirst({ order: "asc", since, subject });
  return first === undefined ? newest : first - 1;
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
