import { exitCode } from "./cli_error.ts";
import { openClient } from "./open_client.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";

export interface CreateKeyOptions {
  readonly scope: readonly string[];
  readonly project?: readonly string[];
  readonly expires?: string;
}

/** `keys create NAME`: makes an API key and prints it, the only time that it can be seen. */
export async function createKey(invocation: Invocation<CreateKeyOptions>): Promise<number> {
  const { terminal, options, operands: [name] } = invocation;
  const client = await openClient(invocation);
  const created = await client.request("POST", "/api/keys", {
    body: { name, scopes: options.scope, projects: options.project, expires_in: options.expires },
  });
  if (options.json) printJson(terminal, created);
  else {
    const { id, name, scopes, projects, expires_at: expires, key } = created;
    printFields(terminal, { id, name, scopes: list(scopes), projects: list(projects), expires, key });
    terminal.note("Keep the key now: it is not stored and cannot be shown again.");
  }
  return exitCode.ok;
}

function list(values: unknown): unknown {
  return Array.isArray(values) ? values.join(", ") : values;
}
