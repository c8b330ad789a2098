import { basename, delimiter, dirname } from "node:path";
import process from "node:process";
import { build } from "../build.ts";
import type { Configuration } from "../config/load_config.ts";
import type { Kernel } from "../kernel.ts";
import type { GlobalOptions } from "./invocation.ts";
import { configFile } from "./local_settings.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";
import { isBrokenPipe, type Terminal } from "./terminal.ts";

/** Tells where the agent answers, where its key lies, and what to try first. */
export function printGreeting(
  kernel: Kernel,
  { terminal, options, configuration }: {
    terminal: Terminal;
    options: GlobalOptions;
    configuration: Configuration;
  },
): void {
  const { url, adminKeyFile, node } = kernel;
  const file = configFile(options.config, terminal.env);
  const chosen = [
    file.given ? ` --config ${shellWord(file.path)}` : "",
    configuration.http.port === 0 ? ` --url ${url}` : "", // the system chose the port, the file does not tell it
  ].join("");
  const example = `${programName(terminal.env)}${chosen} events publish demo.hello '{"text":"hello"}'`;
  try {
    if (options.json) return printJson(terminal, { url, admin_key_file: adminKeyFile, node_id: node.id });
    terminal.print(terminal.paint("bold", `CommandCenter ${node.version} is running.`));
    printFields(terminal, {
      "Address": url,
      "Reference": `${url}/docs`,
      "Node": `${node.id} (${node.name})`,
      "Admin key": adminKeyFile,
      "Try": example,
      "Stop": "Ctrl-C",
    });
  } catch (error) {
    if (!isBrokenPipe(error)) throw error; // an agent runs on, whether or not somebody reads its greeting
  }
}

/** How this program is called here: by its own file where it is packed, else through the task in deno.json. */
function programName(env: Terminal["env"]): string {
  const { execPath } = process;
  if (build) {
    const isOnPath = (env.PATH ?? "").split(delimiter).includes(dirname(execPath));
    return isOnPath ? basename(execPath) : shellWord(execPath);
  }
  return env.npm_command === "exec"
    ? `npx -y deno@${process.versions.deno} task commandcenter`
    : "deno task commandcenter";
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
