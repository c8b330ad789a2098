import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ConfigPath, pathText } from "../config/config_path.ts";
import type { Fault } from "../config/fault.ts";
import type { PlaceholderSources } from "../config/placeholders.ts";
import { readFailure, readLimited } from "../config/read_limited.ts";
import type { SourceTree } from "../config/source_tree.ts";
import { CliError, exitCode } from "./cli_error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What the command line has to know of the configuration on this host. */
export interface LocalSettings {
  readonly host: string;
  readonly port: number;
  /** Absolute path of the file with the admin key. */
  readonly keyFile: string;
}

const maxConfigBytes = 1024 * 1024;
const maxKeyBytes = 4096;

/** Settings that are looked at, and what they are where the file says nothing. */
const defaults = { "http.host": "127.0.0.1", "http.port": 9000, "node.data_dir": "./data" } as const;

/**
 * The file that `--config` or COMMANDCENTER_CONFIG names, else `projects.yaml` here. `deno task` runs in the folder of
 * the project; where the line was typed, and a relative name begins, is in INIT_CWD.
 */
export function configFile(option: string | undefined, env: Environment): { path: string; given: boolean } {
  const path = option ?? (env.COMMANDCENTER_CONFIG || undefined);
  if (path === undefined) return { path: "projects.yaml", given: false };
  const typed = env.INIT_CWD ? resolve(env.INIT_CWD, path) : path;
  // The variable is inherited: a program that `deno task` started may have gone to another folder and call us there.
  return { path: existsSync(typed) || !existsSync(path) ? typed : path, given: true };
}

/**
 * Address and key file of the local agent. Nothing else in the file is looked at, so that a command works although
 * another part is faulty; defaults where there is no `projects.yaml`. Throws CliError (78).
 */
export async function readLocalSettings(
  option: string | undefined,
  env: Environment,
): Promise<LocalSettings> {
  const file = configFile(option, env);
  const fail = (state: string) =>
    new CliError(`Cannot read "${file.path}": ${state}`, {
      exitCode: exitCode.configuration,
      hint: "`commandcenter check` tells all that is wrong; with --url and --key the file is not needed.",
    });
  let text = "";
  try {
    text = new TextDecoder().decode(await readLimited(file.path, maxConfigBytes));
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (!absent || file.given) throw fail(readFailure(error));
  }
  const folder = dirname(resolve(file.path));
  const { tree, fault } = await readOurs(text, { env, folder, readFile: readLimited });
  if (fault) throw fail(`line ${fault.position.line}: ${fault.text}`);

  const setting = (name: keyof typeof defaults) => {
    const value = tree?.get(name.split(".")) ?? defaults[name];
    if (typeof value === "string" || typeof value === "number") return String(value);
    throw fail(`${name} has to be plain text`);
  };
  const port = Number(setting("http.port"));
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw fail("http.port has to be a port number");
  return {
    host: setting("http.host"),
    port,
    keyFile: resolve(folder, setting("node.data_dir"), "admin.key"),
  };
}

/** The file with our settings filled in, or the first fault that keeps them from being read. */
async function readOurs(
  text: string,
  sources: PlaceholderSources,
): Promise<{ tree?: SourceTree; fault?: Fault | undefined }> {
  // Loaded only here: with --url and --key given, nothing needs them.
  const [{ readYaml }, { fillPlaceholders }] = await Promise.all([
    import("../config/read_yaml.ts"),
    import("../config/placeholders.ts"),
  ]);
  const content = readYaml(text);
  if ("syntaxFaults" in content) return { fault: content.syntaxFaults[0] };
  const { tree, templates, faults } = content;
  const ours = ({ path }: { path: ConfigPath }) => pathText(path) in defaults;
  const unfilled = await fillPlaceholders(tree, { templates: templates.filter(ours), sources });
  return { tree, fault: [...faults.filter(ours), ...unfilled][0] };
}

/** The key in the file, if it can be read, and what to do when there is none or it is refused. */
export async function readLocalKey(file: string): Promise<{ key: string | undefined; hint: string }> {
  try {
    const key = new TextDecoder().decode(await readLimited(file, maxKeyBytes)).trim();
    return {
      key: key || undefined,
      hint:
        `The key came from ${file}; is that the data folder of this agent? Else give --key or COMMANDCENTER_KEY.`,
    };
  } catch (error) {
    return {
      key: undefined,
      hint: `No key at ${file} (${readFailure(error)}): name the agent's configuration with --config, ` +
        "or give --key or COMMANDCENTER_KEY.",
    };
  }
}
