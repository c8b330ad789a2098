import { exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printConsumer } from "./print_consumer.ts";

/** `consumers pause NAME`: it hands out nothing until it is resumed. */
export async function pauseConsumer(invocation: Invocation): Promise<number> {
  const client = await openClient(invocation);
  printConsumer(invocation, await client.request("POST", consumerPath(invocation.operands[0], "pause")));
  return exitCode.ok;
}
