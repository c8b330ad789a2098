import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import { openClient } from "./open_client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";

/** `keys revoke ID`: from now on the key opens nothing. */
export async function revokeKey(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const client = await openClient(invocation);
  await client.request("DELETE", `/api/keys/${encodeURIComponent(id)}`);
  if (options.json) printJson(terminal, { id, revoked: true });
  else terminal.print(`Revoked ${oneLine(id)}.`);
  return exitCode.ok;
}
