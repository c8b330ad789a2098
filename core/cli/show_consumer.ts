import { exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printConsumer } from "./print_consumer.ts";

/** `consumers show NAME`: a consumer and how it stands. */
export async function showConsumer(invocation: Invocation): Promise<number> {
  const client = await openClient(invocation);
  printConsumer(invocation, await client.request("GET", consumerPath(invocation.operands[0])));
  return exitCode.ok;
}
