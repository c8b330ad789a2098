import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";

/** `events cancel-replay ID`: nothing more of it is published. */
export async function cancelReplay(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const client = await openClient(invocation);
  const replay = await client.request("DELETE", `/api/events/replay/${encodeURIComponent(id)}`);
  if (options.json) printJson(terminal, replay);
  else terminal.print(`The replay ${oneLine(id)} is ${oneLine(replay.state)}.`);
  return exitCode.ok;
}
