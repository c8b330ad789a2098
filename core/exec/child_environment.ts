import { Buffer } from "node:buffer";
import { Secret } from "../secret.ts";
import { ExecError } from "./exec_error.ts";

/** Variables that make a program load or run something else, or look for it elsewhere. */
const refused =
  /^(LD_.*|DYLD_.*|GCONV_PATH|PATH|ENV|BASH_.*|IFS|PS4|SHELLOPTS|CDPATH|NODE_OPTIONS|PYTHON(PATH|STARTUP|HOME)|PERL5.*|RUBY(OPT|LIB)|JAVA_TOOL_OPTIONS)$/;

/** What the kernel lets one variable or argument hold. */
export const maxTextBytes = 128 * 1024 - 1;

/** What a child's environment is made of. */
export interface EnvironmentSources {
  readonly program: string;
  readonly path: readonly string[];
  /** The agent's own environment, of which only HOME and TZ are passed on. */
  readonly own: Readonly<Record<string, string | undefined>>;
  readonly added?: Readonly<Record<string, string | Secret>> | undefined;
}

/** The whole environment of a child. Throws ExecError `invalid_argument` for a variable that must not be set. */
export function childEnvironment(
  { program, path, own, added = {} }: EnvironmentSources,
): Record<string, string> {
  const environment: Record<string, string> = { PATH: path.join(":"), LANG: "C.UTF-8" };
  for (const name of ["HOME", "TZ"]) if (own[name]) environment[name] = own[name];
  for (const [name, value] of Object.entries(added)) {
    const refuse = (state: string) =>
      new ExecError("invalid_argument", { program, state: `the variable ${JSON.stringify(name)} ${state}` });
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) throw refuse("has a name that no variable has");
    if (refused.test(name)) throw refuse("decides what is loaded or run, and cannot be set");
    const text = value instanceof Secret ? value.reveal() : value;
    if (typeof text !== "string") throw refuse("is not text");
    if (text.includes("\0")) throw refuse("holds a NUL character");
    if (Buffer.byteLength(text) + name.length > maxTextBytes) throw refuse("is longer than 128 KiB");
    environment[name] = text;
  }
  return environment;
}
