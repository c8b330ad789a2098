import { exitCode } from "./cli_error.ts";
import { consumerPath } from "./consumer_path.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";

/** What is said of the deliveries whose tokens stand behind the name of the consumer. */
export interface DeliveryAnswer {
  readonly route: "ack" | "nak";
  /** Beside the tokens. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Member of the answer that counts what was done, and how that reads. */
  readonly counter: string;
  readonly verb: string;
}

/** Sends the tokens; resolves to 1 where some of them said nothing any more. */
export async function answerDeliveries(
  invocation: Invocation,
  { route, body = {}, counter, verb }: DeliveryAnswer,
): Promise<number> {
  const { terminal, options, operands: [name = "", given] } = invocation;
  // The parser hands over what may be repeated as a list.
  const tokens = Array.isArray(given) ? given : [given];
  const client = await openClient(invocation);
  const answer = await client.request("POST", consumerPath(name, route), { body: { ...body, tokens } });
  const stale = Array.isArray(answer.stale) ? answer.stale : [];
  if (options.json) printJson(terminal, answer);
  else {
    terminal.print(`${verb} ${oneLine(answer[counter])} of ${tokens.length}.`);
    for (const token of stale) {
      terminal.note(`${oneLine(token)} was answered before, or its time was over and another worker has it.`);
    }
  }
  return stale.length === 0 ? exitCode.ok : exitCode.failed;
}
