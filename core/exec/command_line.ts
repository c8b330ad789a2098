import { Buffer } from "node:buffer";
import { Secret } from "../secret.ts";
import { maxTextBytes } from "./child_environment.ts";
import { ExecError } from "./exec_error.ts";

const maxArguments = 10_000;
const maxTotalBytes = 1024 * 1024;
const maxShownArguments = 64;
const maxShownCharacters = 200;

/** The arguments as the child gets them. Throws ExecError `invalid_argument` for what no program can be given. */
export function revealArguments(program: string, argv: readonly (string | Secret)[]): string[] {
  const refuse = (state: string) => new ExecError("invalid_argument", { program, state });
  if (!Array.isArray(argv)) throw refuse("its arguments are not a list");
  if (argv.length > maxArguments) throw refuse(`it has more than ${maxArguments} arguments`);
  const texts = argv.map((argument: unknown, index) => {
    const text = argument instanceof Secret ? argument.reveal() : argument;
    const refuseIt = (state: string) => refuse(`argument ${index + 1} ${state}`);
    if (typeof text !== "string") throw refuseIt("is not text");
    if (text.includes("\0")) throw refuseIt("holds a NUL character");
    if (!text.isWellFormed()) throw refuseIt("holds half a surrogate pair");
    if (Buffer.byteLength(text) > maxTextBytes) throw refuseIt("is longer than 128 KiB; pass it as stdin");
    return text;
  });
  if (texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0) > maxTotalBytes) {
    throw refuse("its arguments are longer than 1 MiB together; pass them as stdin");
  }
  return texts;
}

/** The arguments for a log line: secrets redacted, long ones cut. */
export function shownArguments(argv: readonly (string | Secret)[]): string[] {
  const shown = argv.slice(0, maxShownArguments).map((argument) => {
    const text = String(argument);
    return text.length > maxShownCharacters ? `${text.slice(0, maxShownCharacters)}…` : text;
  });
  return argv.length > maxShownArguments ? [...shown, `… ${argv.length - maxShownArguments} more`] : shown;
}

/** Takes the secrets that a program was given out of what it printed. */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  const longestFirst = secrets.map((secret) => secret.reveal()).toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce(
    (rest, secret) => secret === "" ? rest : rest.replaceAll(secret, "[redacted]"),
    text,
  );
}
