import { ConfigurationError } from "../errors.ts";
import { type ConfigPath, pathText } from "./config_path.ts";

/** Where something is in the file; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that the operator has to mend. */
export interface Fault {
  readonly position: Position;
  /** Empty where it concerns the file as a whole. */
  readonly path: ConfigPath;
  readonly text: string;
}

/** All faults as one error, in the order of the file: `projects.yaml:14:7 plugins.metrics.prot: unknown key`. */
export function faultsError(file: string, faults: readonly Fault[]): ConfigurationError {
  const inOrder = faults.toSorted((one, other) =>
    one.position.line - other.position.line || one.position.column - other.position.column
  );
  return new ConfigurationError(inOrder.map((fault) => faultLine(file, fault)));
}

function faultLine(file: string, { position, path, text }: Fault): string {
  const where = path.length === 0 ? "" : ` ${pathText(path)}`;
  return `${file}:${position.line}:${position.column}${where}: ${printable(text)}`;
}

/** One line, and never the user and password of a URL, whoever wrote the text. */
function printable(text: string): string {
  return text
    .replaceAll(/:\/\/[^\s/@"]*@/g, "://[redacted]@")
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
