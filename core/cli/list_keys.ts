import type { JsonObject } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import { openClient } from "./open_client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { type Column, createTable } from "./table.ts";

const columns: readonly Column<JsonObject>[] = [
  { title: "ID", value: (key) => key.id },
  { title: "NAME", value: (key) => key.name, maxWidth: 30 },
  { title: "SCOPES", value: (key) => list(key.scopes) },
  { title: "PROJECTS", value: (key) => key.projects === null ? "all" : list(key.projects), maxWidth: 30 },
  { title: "STATE", value: state, style: (key) => state(key) === "valid" ? "green" : "dim" },
  { title: "CREATED", value: (key) => key.created_at },
  { title: "LAST USED", value: (key) => key.last_used_at ?? "never" },
  { title: "EXPIRES", value: (key) => key.expires_at ?? "never" },
];

/** `keys list`: prints the keys of the agent, without the secrets, which it does not know. */
export async function listKeys(invocation: Invocation): Promise<number> {
  const { terminal, options } = invocation;
  const client = await openClient(invocation);
  const printRows = createTable(terminal, columns);
  for await (const page of client.pages("/api/keys", {}, { limit: Infinity })) {
    if (options.json) page.forEach((key) => printJson(terminal, key));
    else printRows(page);
  }
  return exitCode.ok;
}

function state(key: JsonObject): string {
  if (key.revoked_at) return "revoked";
  return typeof key.expires_at === "string" && Date.parse(key.expires_at) <= Date.now() ? "expired" : "valid";
}

function list(values: unknown): unknown {
  return Array.isArray(values) ? values.join(", ") : values;
}
