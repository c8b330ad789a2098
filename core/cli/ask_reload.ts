import { ConfigurationError } from "../errors.ts";
import type { JsonObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";

/** Asks the running agent about its configuration. Rejects with ConfigurationError, as `check` does, on a faulty one. */
export async function askReload(
  invocation: Invocation,
  { method, path }: { method: "GET" | "POST"; path: string },
): Promise<JsonObject> {
  try {
    return await (await openClient(invocation)).request(method, path);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (error.exitCode === exitCode.unreachable) {
      throw new CliError(error.message, {
        exitCode: exitCode.unreachable,
        hint:
          "Is it running? Where http.host or http.port has changed in the file, --url names its old address.",
        cause: error,
      });
    }
    const { code, faults } = error.problem ?? {};
    if (code !== "invalid_configuration" || !Array.isArray(faults)) throw error;
    if (invocation.options.json) printJson(invocation.terminal, { ok: false, faults });
    throw new ConfigurationError(faults.map(String), { cause: error });
  }
}
