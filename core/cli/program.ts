import { Argument, Command as Parser, CommanderError, InvalidArgumentError, Option } from "commander";
import manifest from "../../deno.json" with { type: "json" };
import { exitCode } from "./cli_error.ts";
import { commandTree } from "./completion/command_tree.ts";
import type { Command, Invocation } from "./invocation.ts";
import { reportFailure } from "./report_failure.ts";
import type { Terminal } from "./terminal.ts";

/** Runs one command line, without the name of the program; resolves to the exit status and never rejects. */
export async function runProgram(words: readonly string[], terminal: Terminal): Promise<number> {
  let status: number = exitCode.ok;
  const program = describeProgram(terminal, (result) => status = result);
  try {
    await program.parseAsync(words, { from: "user" });
    return status;
  } catch (error) {
    // The parser has already told what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    return reportFailure(error, terminal);
  }
}

const exitStatusHelp = `
Exit status:
  0    done; also when follow or start was ended by Ctrl-C or SIGTERM
  1    failed, or the agent is unhealthy
  2    the command line cannot be understood
  69   the agent cannot be reached
  77   the agent refuses the key, or there is none for it
  78   the configuration is faulty
  130  interrupted by Ctrl-C (143: by SIGTERM)

Environment: COMMANDCENTER_CONFIG, COMMANDCENTER_URL, COMMANDCENTER_KEY, NO_COLOR`;

/** Turns a parsed call into a run of the command, which is loaded only now. */
type Runner = <Options>(load: () => Promise<Command<Options>>) => (this: Parser) => Promise<void>;

function describeProgram(terminal: Terminal, finish: (status: number) => void): Parser {
  const run: Runner = (load) =>
    async function () {
      const command = await load();
      finish(
        await command(
          {
            terminal,
            options: this.optsWithGlobals(),
            operands: this.processedArgs,
          } as Parameters<typeof command>[0],
        ),
      );
    };
  const program = new Parser("commandcenter")
    .description("Runs the agent of this host, and speaks with agents here and elsewhere.")
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.note(text.trimEnd()),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("Add --help to see how it is used.")
    .exitOverride()
    .helpCommand(false)
    .version(manifest.version, "-V, --version", "show the version")
    .helpOption("-h, --help", "tell how to use it")
    .option("--config <FILE>", "configuration of this host (default: ./projects.yaml)")
    .option("--url <URL>", "address of the agent (default: as the configuration says)")
    .option(
      "--key <KEY>",
      "API key, better given as COMMANDCENTER_KEY (default: the admin key of this host)",
    )
    .option("--json", "print JSON for scripts")
    .addHelpText("after", exitStatusHelp);

  program.command("start").description("start the agent of this host and run until a signal ends it")
    .action(run(async () => (await import("./start_agent.ts")).startAgent));
  program.command("check").description("check the configuration without starting anything")
    .action(run(async () => (await import("./check_config.ts")).checkConfig));
  program.command("status").description("show how an agent is")
    .action(run(async () => (await import("./show_status.ts")).showStatus));
  program.command("version").description("show the version")
    .action(run(async () => (await import("./show_version.ts")).showVersion));
  describeEvents(program.command("events").helpCommand(false).description("publish and read events"), run);
  describeKeys(
    program.command("keys").helpCommand(false).description("create, list and revoke API keys"),
    run,
  );
  program.command("completion").description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "shell to complete in").choices(["bash", "zsh", "fish"]))
    .action(run(async () => {
      const { printCompletion } = await import("./print_completion.ts");
      return (invocation: Invocation) => printCompletion(invocation, commandTree(program));
    }));
  return program;
}

function describeEvents(events: Parser, run: Runner): void {
  events.command("publish").description("publish one event")
    .argument("<subject>", "such as demo.hello; the agent places it under hub.<node>.")
    .argument("[json]", "payload; - (or nothing, behind a pipe) reads it from standard input (default: {})")
    .option("--project <SLUG>", "project it is about")
    .option("--correlation-id <ID>", "tie it to what belongs together")
    .option("--causation-id <ID>", "event that caused it")
    .option("--id <ID>", "id of the event: the same one again is stored once")
    .option(
      "--expected-seq <SEQ>",
      "publish only if the last sequence on the subject is this (0: none yet)",
      wholeNumber(0),
    )
    .action(run(async () => (await import("./publish_event.ts")).publishEvent));
  events.command("query").description("print stored events")
    .option("--subject <PATTERN>", "subject; * stands for one token, > for the rest")
    .option("--type <TYPE>", "type of the event")
    .option("--since <TIME>", "not before: RFC 3339, or 15m, 2h, 7d ago")
    .option("--until <TIME>", "before: RFC 3339, or 15m, 2h, 7d ago")
    .option("--correlation-id <ID>", "only what belongs together")
    .option("--project <SLUG>", "only what is about that project")
    .option("--origin <NODE>", "only what that node published")
    .option("--after-seq <SEQ>", "only behind that sequence", wholeNumber(0))
    .addOption(new Option("--order <ORDER>", "oldest or newest first").choices(["asc", "desc"]))
    .option("--limit <COUNT>", "events at the most", wholeNumber(1), 100)
    .option("--all", "all of them, however many")
    .action(run(async () => (await import("./query_events.ts")).queryEvents));
  events.command("follow").description("print events as they come, until Ctrl-C")
    .option("--subject <PATTERN>", "subject; * stands for one token, > for the rest")
    .option("--after-seq <SEQ>", "begin behind that sequence", wholeNumber(0))
    .option("--since <TIME>", "begin then: RFC 3339, or 15m, 2h, 7d ago")
    .action(run(async () => (await import("./follow_events.ts")).followEvents));
  events.command("stats").description("show what the event log holds")
    .action(run(async () => (await import("./show_stats.ts")).showStats));
}

const scopes = ["read", "write", "admin"];

function describeKeys(keys: Parser, run: Runner): void {
  keys.command("create").description("create an API key and print it, this once")
    .argument("<name>", "what it is for")
    .addOption(
      new Option("--scope <SCOPE>", "what it may do; can be repeated").choices(scopes).argParser(
        repeatedScope,
      )
        .makeOptionMandatory(),
    )
    .option("--project <SLUG>", "limit it to a project; can be repeated", repeated)
    .option("--expires <TIME>", "how long it is good for, such as 12h or 30d (default: for ever)")
    .action(run(async () => (await import("./create_key.ts")).createKey));
  keys.command("list").description("list the API keys")
    .action(run(async () => (await import("./list_keys.ts")).listKeys));
  keys.command("revoke").description("revoke an API key at once")
    .argument("<id>", "its id, as the list shows it")
    .action(run(async () => (await import("./revoke_key.ts")).revokeKey));
}

function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...before ?? [], value];
}

function repeatedScope(value: string, before: readonly string[] | undefined): readonly string[] {
  if (scopes.includes(value)) return repeated(value, before);
  throw new InvalidArgumentError(`Allowed choices are ${scopes.join(", ")}.`);
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It has to be a whole number, ${least} or more.`);
  };
}
