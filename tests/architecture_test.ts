import { expect } from "expect";
import { basename, dirname, join, relative } from "node:path";

const root = join(import.meta.dirname!, "..");
const maxLines = 300;
const maxFunctionLines = 70;
const maxFolderDepth = 3;
const forbiddenNames = ["utils", "helpers", "common", "types", "manager", "base", "index"];

/** Libraries that reach outside (a driver, a framework's core) stay behind one file each. */
const importedOnce: Readonly<Record<string, string>> = {
  "@logtape/logtape": "core/log.ts",
  "@nats-io/jetstream": "core/bus/nats_stream.ts",
  "@nats-io/transport-node": "core/bus/nats_connection.ts",
  "commander": "core/cli/program.ts",
  "croner": "core/cron.ts",
  "eventsource-parser": "core/cli/event_stream.ts",
  "ipaddr.js": "core/net/address_rules.ts",
  "pg": "core/storage/postgres.ts",
  "leven": "core/config/suggestion.ts",
  "prom-client": "core/prometheus.ts",
  "string-width": "core/cli/table.ts",
  "yaml": "core/config/read_yaml.ts, core/config/source_tree.ts",
};

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const sources = [...walk(root)].map(read);
const programs = sources.filter(({ path }) => /^(core|plugins)\//.test(path) && !path.endsWith("_test.ts"));

function* walk(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory && !/^(\.|data$|node_modules$)/.test(entry.name)) yield* walk(path);
    else if (entry.isFile && entry.name.endsWith(".ts")) yield path;
  }
}

function read(path: string): Source {
  const text = Deno.readTextFileSync(path);
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);
  return { path: relative(root, path), text, imports };
}

/** The file that a relative import names, from the root of the repository. */
function target(source: Source, specifier: string): string {
  return relative(root, join(root, dirname(source.path), specifier));
}

function offenders(rule: (source: Source) => boolean, among: readonly Source[] = sources): string[] {
  return among.filter(rule).map((source) => source.path);
}

Deno.test("no file is longer than 300 lines", () => {
  expect(offenders(({ text }) => text.split("\n").length - 1 > maxLines)).toEqual([]);
});

Deno.test("no function is longer than 70 lines", () => {
  expect(sources.flatMap(longFunctions)).toEqual([]);
});

/** Code is formatted, so a function ends at the first line of its own indentation that closes a brace. */
function longFunctions({ path, text }: Source): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, start) => {
    const isFunction = /\bfunction\b.*\{$|=> \{$|^ {2}(static |async |override |get |set )*[#\w]+\(.*\{$/
      .test(line);
    if (!isFunction || /^\s*(if|for|while|switch|describe)\b/.test(line)) return [];
    const indentation = /^ */.exec(line)![0];
    const length = lines.slice(start + 1).findIndex((each) => each.startsWith(`${indentation}}`)) + 2;
    return length > maxFunctionLines ? [`${path}:${start + 1} (${length} lines)`] : [];
  });
}

Deno.test("no folder lies deeper than three", () => {
  expect(offenders(({ path }) => path.split("/").length - 1 > maxFolderDepth)).toEqual([]);
});

Deno.test("file names are snake_case words that say what is inside", () => {
  const isBad = ({ path }: Source) => {
    const name = basename(path, ".ts");
    return !/^[a-z0-9]+(_[a-z0-9]+)*$/.test(name) || forbiddenNames.includes(name);
  };
  expect(offenders(isBad)).toEqual([]);
});

Deno.test("the kernel knows no plugin", () => {
  const reachesPlugin = (source: Source) =>
    source.imports.some((specifier) =>
      specifier.startsWith(".") && target(source, specifier).startsWith("plugins/") &&
      target(source, specifier) !== "plugins/registry.ts"
    );
  expect(offenders(reachesPlugin, programs.filter(({ path }) => path.startsWith("core/")))).toEqual([]);
});

Deno.test("a plugin sees nothing of another plugin but its events.ts", () => {
  const trespasses = (source: Source) => {
    const own = source.path.split("/").slice(0, 2).join("/");
    return source.imports.filter((specifier) => specifier.startsWith("."))
      .map((specifier) => target(source, specifier))
      .some((file) =>
        file.startsWith("plugins/") && !file.startsWith(`${own}/`) && basename(file) !== "events.ts"
      );
  };
  const plugins = programs.filter(({ path }) =>
    path.startsWith("plugins/") && path !== "plugins/registry.ts"
  );
  expect(offenders(trespasses, plugins)).toEqual([]);
});

Deno.test("the program imports nothing from tests or scripts", () => {
  const reaches = (source: Source) =>
    source.imports.some((specifier) =>
      specifier.startsWith(".") && /^(tests|scripts)\//.test(target(source, specifier))
    );
  expect(offenders(reaches, programs)).toEqual([]);
});

Deno.test("each driver library is imported in exactly one file", () => {
  const users: Record<string, string> = {};
  for (const library of Object.keys(importedOnce)) {
    users[library] = offenders(({ imports }) => imports.includes(library), programs).join(", ");
  }
  expect(users).toEqual(importedOnce);
});

Deno.test("only core/exec starts programs, beside what speaks to systemd", () => {
  const starts = ({ imports }: Source) =>
    imports.some((specifier) => /^(node:)?child_process$/.test(specifier));
  expect(offenders(starts, programs).toSorted()).toEqual([
    "core/cli/systemd_service.ts",
    "core/exec/program_run.ts",
  ]);
});

Deno.test("only main.ts reads argv, exits, or listens for signals", () => {
  const acts = ({ text }: Source) =>
    /Deno\.(args|exit|addSignalListener)\b|process\.(argv|exit|on)\b/.test(text);
  expect(offenders(acts, programs)).toEqual(["core/main.ts"]);
});

Deno.test("only what serves HTTP knows the runtime", () => {
  const users = (runtime: RegExp) => offenders(({ text }) => runtime.test(text), programs);
  expect(users(/\bDeno\.(?!customInspect)/)).toEqual(["core/http/deno_runtime.ts"]);
  expect(users(/\bBun\./)).toEqual(["core/http/bun_runtime.ts"]);
  expect(users(/(deno|bun)_runtime\.ts/)).toEqual(["core/http/serve.ts"]);
});

Deno.test("every export of the program says in a comment what it is", () => {
  const undocumented = programs.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    return lines.flatMap((line, index) =>
      /^export (default )?(async )?(function|class|interface|const|type [A-Z])/.test(line) &&
        !/(\*\/|^\/\/ deno-lint|^@)/.test(lines[index - 1] ?? "") && path !== "plugins/registry.ts" &&
        !/^export interface \w+Options\b/.test(line)
        ? [`${path}:${index + 1} ${line.slice(0, 60)}`]
        : []
    );
  });
  expect(undocumented).toEqual([]);
});
