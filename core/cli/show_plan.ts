import { askReload } from "./ask_reload.ts";
import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";
import { printReload } from "./print_reload.ts";

/** `plan`: what a reload of the running agent would change; changes nothing. */
export async function showPlan(invocation: Invocation): Promise<number> {
  const { terminal, options } = invocation;
  const plan = await askReload(invocation, { method: "GET", path: "/api/admin/plan" });
  if (options.json) printJson(terminal, plan);
  else printReload(terminal, plan);
  return exitCode.ok;
}
