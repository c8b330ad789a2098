import { CliError, exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printConsumer } from "./print_consumer.ts";

export interface CreateConsumerOptions {
  readonly type?: string;
  readonly project?: string;
  readonly origin?: string;
  readonly start?: string;
  readonly ackWait?: string;
  readonly maxDeliveries?: number;
  readonly maxInFlight?: number;
  readonly description?: string;
}

/** `consumers create NAME SUBJECT`: makes a consumer, or changes the one there is. */
export async function createConsumer(invocation: Invocation<CreateConsumerOptions>): Promise<number> {
  const { options, operands: [name, subject] } = invocation;
  const client = await openClient(invocation);
  const body = {
    subject,
    type: options.type,
    project: options.project,
    origin: options.origin,
    start: options.start === undefined ? undefined : startOf(options.start),
    ack_wait: options.ackWait,
    max_deliveries: options.maxDeliveries,
    max_in_flight: options.maxInFlight,
    description: options.description,
  };
  printConsumer(invocation, await client.request("PUT", consumerPath(name), { body }));
  return exitCode.ok;
}

/** `first`, `new`, `seq:42` or `time:2h` as the API takes it. */
function startOf(text: string): unknown {
  if (text === "first" || text === "new") return text;
  if (/^seq:\d{1,16}$/.test(text)) return { seq: Number(text.slice(4)) };
  if (text.startsWith("time:")) return { time: text.slice(5) };
  throw new CliError(`Cannot start at "${text}": it has to be first, new, seq:42 or time:2h`, {
    exitCode: exitCode.usage,
  });
}
