import { CliError, exitCode } from "./cli_error.ts";
import { openClient } from "./open_client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface PublishOptions {
  readonly project?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly id?: string;
  readonly expectedSeq?: number;
}

/** The API refuses larger ones anyway; this keeps an endless input from filling the memory. */
const maxInputBytes = 64 * 1024 * 1024;

/** `events publish SUBJECT [JSON]`: publishes one event and prints where it stands in the log. */
export async function publishEvent(invocation: Invocation<PublishOptions>): Promise<number> {
  const { terminal, options, operands: [subject, argument] } = invocation;
  const payload = parsePayload(await payloadText(argument, terminal));
  const client = await openClient(invocation);
  const published = await client.request("POST", "/api/events", {
    body: {
      subject,
      payload,
      project: options.project,
      correlation_id: options.correlationId,
      causation_id: options.causationId,
      id: options.id,
      expected_seq: options.expectedSeq,
    },
  });
  if (options.json) printJson(terminal, published);
  else printFields(terminal, published);
  return exitCode.ok;
}

async function payloadText(argument: string | undefined, terminal: Terminal): Promise<string> {
  if (argument === "-") return await readInput(terminal);
  if (argument !== undefined || !terminal.fed) return argument ?? "{}";
  return (await readInput(terminal)).trim() || "{}";
}

function parsePayload(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError("Cannot read the payload: it is no JSON", {
      exitCode: exitCode.usage,
      hint: `Keep the shell away from it with single quotes: '{"text":"hello"}'`,
      cause: error,
    });
  }
}

async function readInput(terminal: Terminal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  const interruption = new Promise<never>((_, reject) => {
    const stop = () => reject(terminal.interrupted.reason);
    if (terminal.interrupted.aborted) stop();
    terminal.interrupted.addEventListener("abort", stop, { once: true });
  });
  const reading = (async () => {
    for await (const chunk of terminal.input()) {
      bytes += chunk.length;
      if (bytes > maxInputBytes) {
        throw new CliError(`Cannot read the payload: more than ${maxInputBytes} bytes`, {
          exitCode: exitCode.usage,
        });
      }
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  })();
  return await Promise.race([reading, interruption]);
}
