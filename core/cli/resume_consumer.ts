import { exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printConsumer } from "./print_consumer.ts";

/** `consumers resume NAME`: it hands out events again. */
export async function resumeConsumer(invocation: Invocation): Promise<number> {
  const client = await openClient(invocation);
  printConsumer(invocation, await client.request("POST", consumerPath(invocation.operands[0], "resume")));
  return exitCode.ok;
}
