import { exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";

export interface DeleteConsumerOptions {
  readonly abandoned?: boolean;
}

/** `consumers delete NAME`: removes it with what it has in hand and its dead letters; the events stay in the log. */
export async function deleteConsumer(invocation: Invocation<DeleteConsumerOptions>): Promise<number> {
  const { terminal, options, operands: [name = ""] } = invocation;
  const client = await openClient(invocation);
  const query = options.abandoned ? { abandoned: "true" } : {};
  await client.request("DELETE", consumerPath(name), { query });
  if (options.json) printJson(terminal, { name, deleted: true });
  else terminal.print(`Deleted ${oneLine(name)}.`);
  return exitCode.ok;
}
