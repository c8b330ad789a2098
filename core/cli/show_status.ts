import { isObject, type JsonObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import { openClient } from "./open_client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { type Column, createTable, printFields } from "./table.ts";
import type { Style } from "./terminal.ts";

const styles: Readonly<Record<string, Style>> = {
  up: "green",
  healthy: "green",
  degraded: "yellow",
  down: "red",
  unhealthy: "red",
};

const columns: readonly Column<JsonObject>[] = [
  { title: "CHECK", value: (check) => check.name },
  { title: "STATUS", value: (check) => check.status, style: (check) => styles[oneLine(check.status)] },
  { title: "REQUIRED", value: (check) => check.required === true ? "yes" : "no" },
  {
    title: "LATENCY",
    value: (check) => typeof check.latency_ms === "number" ? `${check.latency_ms} ms` : "",
    align: "right",
  },
  { title: "MESSAGE", value: (check) => check.message },
];

/** `status`: which agent answers, and how it is; 1 when it is unhealthy, 69 when it does not answer. */
export async function showStatus(invocation: Invocation): Promise<number> {
  const { terminal, options } = invocation;
  const client = await openClient(invocation, { key: false });
  const health = await client.request("GET", "/health", { accept: [503] });
  const { status, node, checks, detail } = health;
  if (!Array.isArray(checks)) {
    throw new CliError(`The agent at ${client.url} cannot tell how it is: ${oneLine(detail ?? health)}`, {
      exitCode: exitCode.failed,
    });
  }
  if (options.json) printJson(terminal, health);
  else {
    const { id, name, version, started_at: started } = isObject(node) ? node : {};
    printFields(terminal, { agent: client.url, node: id, name, version, started, status }, {
      styles: { status: styles[oneLine(status)] },
    });
    terminal.print("");
    createTable(terminal, columns)(checks.filter(isObject));
  }
  return status === "healthy" || status === "degraded" ? exitCode.ok : exitCode.failed;
}
