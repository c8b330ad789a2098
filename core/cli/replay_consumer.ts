import { CliError, exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";

/** `consumers replay NAME [SEQ…]`: lets dead letters be delivered anew, all of them or those with these sequences. */
export async function replayConsumer(invocation: Invocation): Promise<number> {
  const { terminal, options, operands: [name = "", given] } = invocation;
  // The parser hands over what may be repeated as a list.
  const seqs = (Array.isArray(given) ? given : []).map(sequence);
  const client = await openClient(invocation);
  let replayed = 0;
  for (;;) {
    const answer = await client.request("POST", consumerPath(name, "dead-letters/replay"), {
      body: seqs.length > 0 ? { seqs } : {},
    });
    const some = Number(answer.replayed);
    replayed += some;
    // The agent moves so many at a time, and none while too many wait for their workers.
    if (seqs.length === 0 && some > 0 && Number(answer.remaining) > 0) continue;
    if (options.json) printJson(terminal, { replayed, remaining: answer.remaining });
    else terminal.print(`Replayed ${replayed}; ${oneLine(answer.remaining)} dead letters are left.`);
    return exitCode.ok;
  }
}

function sequence(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new CliError(`Cannot replay "${oneLine(text)}": a sequence is a whole number, 1 or more`, {
    exitCode: exitCode.usage,
    hint: "`commandcenter consumers dead-letters NAME` shows them.",
  });
}
