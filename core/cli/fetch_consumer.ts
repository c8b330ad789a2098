import { setTimeout as delay } from "node:timers/promises";
import { type Client, isObject, type JsonObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import { oneLine } from "./escape_controls.ts";
import { Interruption } from "./interruption.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { askUntilAnswered } from "./passing_fault.ts";
import { printJson } from "./print_json.ts";

export interface FetchConsumerOptions {
  readonly limit: number;
  readonly wait?: string;
  readonly follow?: boolean;
  readonly ack?: boolean;
}

/** How long one fetch waits while following. */
const followWait = "20s";
/** Between two fetches while following that bring nothing, whatever wait was asked for, in milliseconds. */
const idleMs = 200;

/**
 * `consumers fetch NAME`: prints the next events as lines of JSON, each with its token; with `--ack` they are done with
 * once they are printed, with `--follow` it goes on until it is interrupted, which is its ordinary end, and an agent that
 * is away for a while is waited for.
 */
export async function fetchConsumer(invocation: Invocation<FetchConsumerOptions>): Promise<number> {
  const { terminal, options, operands: [name = ""] } = invocation;
  try {
    const client = await openClient(invocation);
    const wait = options.wait ?? (options.follow ? followWait : undefined);
    const body = { limit: options.limit, wait };
    const fetchSome = () => client.request("POST", consumerPath(name, "fetch"), { body });
    let answer = await fetchSome();
    for (let found = 0;;) {
      const items = Array.isArray(answer.items) ? answer.items.filter(isObject) : [];
      found += items.length;
      for (const item of items) printJson(terminal, item);
      if (options.ack && items.length > 0) await acknowledge(client, items, { name, invocation });
      if (!options.follow) {
        if (found === 0) terminal.note(`Nothing for ${oneLine(name)} at the moment.`);
        return exitCode.ok;
      }
      if (items.length === 0) await delay(idleMs, undefined, { signal: terminal.interrupted });
      answer = await askUntilAnswered(fetchSome, terminal);
    }
  } catch (error) {
    if (options.follow && terminal.interrupted.reason instanceof Interruption) return exitCode.ok;
    throw error;
  }
}

async function acknowledge(
  client: Client,
  items: readonly JsonObject[],
  { name, invocation: { options, terminal } }: {
    name: string;
    invocation: Invocation<FetchConsumerOptions>;
  },
): Promise<void> {
  const body = { tokens: items.map(({ token }) => token) };
  let calls = 0;
  const ask = () => {
    calls++;
    return client.request("POST", consumerPath(name, "ack"), { body });
  };
  const { stale } = options.follow ? await askUntilAnswered(ask, terminal) : await ask();
  // An earlier call without an answer may have done it.
  if (!Array.isArray(stale) || stale.length === 0 || calls > 1) return;
  throw new CliError(
    `Cannot acknowledge ${stale.length} of ${items.length} events: their time was over, and they come again`,
    { exitCode: exitCode.failed, hint: "A lower --limit, or a longer ack wait of the consumer, helps." },
  );
}
