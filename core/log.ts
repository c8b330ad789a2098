import { configureSync, getLogger as getLogTapeLogger, type LogRecord, resetSync } from "@logtape/logtape";
import { writeSync } from "node:fs";
import { inspect, styleText } from "node:util";
import { currentContext } from "./context.ts";
import { redactText } from "./redact_text.ts";

/** Details of a log line, by snake_case name; errors and secrets may be passed as they are. */
export type LogProperties = Readonly<Record<string, unknown>>;

/** From the most to the least talkative. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes log lines; the correlation id of the current call is added by itself. */
export interface Logger {
  debug(message: string, properties?: LogProperties): void;
  info(message: string, properties?: LogProperties): void;
  warn(message: string, properties?: LogProperties): void;
  error(message: string, properties?: LogProperties): void;
  /** A logger whose lines name the part of the program they come from. */
  child(name: string): Logger;
}

/** A logger below the category `commandcenter`. */
export function getLogger(...category: string[]): Logger {
  const target = getLogTapeLogger(["commandcenter", ...category]);
  // The message may hold braces (JSON, user text): it is passed as a value, never as a template.
  const write = (level: LogLevel) => (message: string, properties: LogProperties = {}) => {
    const context = currentContext();
    const all: Record<string, unknown> = { message, ...properties };
    if (context) {
      all.correlation_id ??= context.correlationId;
      if (context.traceparent) all.traceparent ??= context.traceparent;
    }
    target[level]("{message}", all);
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (name) => getLogger(...category, name),
  };
}

export interface LoggingOptions {
  readonly level: LogLevel;
  /** `json`: one object a line; `pretty`: for people, coloured. */
  readonly format: "json" | "pretty";
  /** Receives each finished line; the default writes to standard error. */
  readonly write?: (line: string) => void;
}

/** Decides, once for the process, where log lines go and how they look. Without it nothing is logged. */
export function configureLogging(options: LoggingOptions): void {
  const write = options.write ?? writeToStandardError;
  const format = options.format === "json" ? jsonLine : prettyLine;
  resetSync();
  configureSync({
    sinks: { lines: (record) => write(redactText(format(record))) },
    loggers: [
      {
        category: "commandcenter",
        sinks: ["lines"],
        lowestLevel: options.level === "warn" ? "warning" : options.level,
      },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "fatal" },
    ],
  });
}

function jsonLine(record: LogRecord): string {
  const { message, ...properties } = record.properties;
  const fields: Record<string, unknown> = {
    time: new Date(record.timestamp).toISOString(),
    level: record.level === "warning" ? "warn" : record.level,
    logger: record.category.slice(1).join("."),
    message,
  };
  for (const [name, value] of Object.entries(properties)) fields[name] = printable(value);
  return JSON.stringify(fields) + "\n";
}

function prettyLine(record: LogRecord): string {
  const { message, ...properties } = record.properties;
  const colour = { debug: "gray", info: "green", warning: "yellow", error: "red" } as const;
  const level = record.level in colour ? colour[record.level as keyof typeof colour] : "red";
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const details = Object.entries(properties)
    .map(([name, value]) =>
      ` ${styleText("dim", name)}=${inspect(printable(value), { breakLength: Infinity })}`
    )
    .join("");
  const where = styleText("dim", record.category.slice(1).join("."));
  return `${time} ${
    styleText(level, record.level.slice(0, 4).toUpperCase().padEnd(4))
  } ${where} ${message}${details}\n`;
}

/** Errors as plain data, with their stack and causes (bounded), since JSON would print `{}`. */
function printable(value: unknown, depth = 0): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return {
    name,
    message,
    stack: stack?.split("\n").slice(1, 12).map((line) => line.trim()),
    ...(cause === undefined || depth >= 4 ? {} : { cause: printable(cause, depth + 1) }),
  };
}

function writeToStandardError(line: string): void {
  const bytes = new TextEncoder().encode(line);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(2, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") continue; // a full pipe: its reader is slow
      return; // nobody reads our standard error any more; there is nowhere left to say so
    }
  }
}
