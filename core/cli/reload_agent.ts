import { askReload } from "./ask_reload.ts";
import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { printReload } from "./print_reload.ts";

/** `reload`: the running agent follows its configuration; 1 where a plugin does not start with its new settings. */
export async function reloadAgent(invocation: Invocation): Promise<number> {
  const { terminal, options } = invocation;
  const result = await askReload(invocation, { method: "POST", path: "/api/admin/reload" });
  if (options.json) printJson(terminal, result);
  else printReload(terminal, result);
  const { failed } = result;
  return Array.isArray(failed) && failed.length > 0 ? exitCode.failed : exitCode.ok;
}
