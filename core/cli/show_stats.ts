import { isObject, type JsonObject } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import { openClient } from "./open_client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";

/** `events stats`: what the event log holds. */
export async function showStats(invocation: Invocation): Promise<number> {
  const { terminal, options } = invocation;
  const stats = await (await openClient(invocation)).request("GET", "/api/events/stats");
  if (options.json) printJson(terminal, stats);
  else printFields(terminal, flatten(stats));
  return exitCode.ok;
}

/** `{ relay: { lag: 3 } }` becomes `{ "relay.lag": 3 }`, `{ rules: [{ count: 1 }] }` becomes `{ "rules[0].count": 1 }`. */
function flatten(object: JsonObject, prefix = ""): JsonObject {
  const entries = Object.entries(object).flatMap(([name, value]): (readonly [string, unknown])[] => {
    if (isObject(value)) return Object.entries(flatten(value, `${prefix}${name}.`));
    if (!Array.isArray(value)) return [[prefix + name, value]];
    return value.filter(isObject).flatMap((each, index) =>
      Object.entries(flatten(each, `${prefix}${name}[${index}].`))
    );
  });
  return Object.fromEntries(entries);
}
