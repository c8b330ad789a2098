import type { JsonObject } from "./client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";

/** Prints a consumer as the agent showed it, field by field or as JSON. */
export function printConsumer({ terminal, options }: Invocation, consumer: JsonObject): void {
  if (options.json) printJson(terminal, consumer);
  else {
    const { start, projects, ...plain } = consumer;
    printFields(terminal, {
      ...plain,
      start: typeof start === "string" ? start : JSON.stringify(start),
      projects: Array.isArray(projects) ? projects.join(", ") : "all",
    });
  }
}
