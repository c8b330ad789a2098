import { Argument, Command as Parser, CommanderError, InvalidArgumentError, Option } from "commander";
import { exitCode } from "./cli_error.ts";
import { commandTree } from "./completion/command_tree.ts";
import { describeConsumers } from "./describe_consumers.ts";
import { describeJobs } from "./describe_jobs.ts";
import { describeSchedules } from "./describe_schedules.ts";
import type { Command, Invocation } from "./invocation.ts";
import { reportFailure } from "./report_failure.ts";
import { versionText } from "./show_version.ts";
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

/** A command of the parser's library. */
export type { Parser };

/** What the groups of commands are made with. */
export interface CommandParts {
  readonly run: Runner;
  /** Reads an option that is a whole number, 1 or more. */
  readonly count: (text: string) => number;
}

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
    .version(versionText, "-V, --version", "show the version")
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
  program.command("plan").description("show what a reload would change")
    .action(run(async () => (await import("./show_plan.ts")).showPlan));
  program.command("reload").description("have the agent read its configuration again and follow it")
    .action(run(async () => (await import("./reload_agent.ts")).reloadAgent));
  program.command("backup").description(
    "write all that the agent of this host keeps to one file, while it runs",
  )
    .argument("[target]", "new file, or a folder for it (default: here)")
    .option("--no-keys", "leave out the keys of the agent, and its configuration")
    .option("--damaged", "also where the data is damaged")
    .action(run(async () => (await import("./backup_agent.ts")).backupAgent));
  program.command("restore").description("put a backup into an empty data folder and an empty database")
    .argument("<file>", "what `backup` has written")
    .option("--check", "only look whether it is whole")
    .option("--damaged", "also where the data was damaged when it was made")
    .action(run(async () => (await import("./restore_agent.ts")).restoreAgent));
  program.command("status").description("show how an agent is")
    .action(run(async () => (await import("./show_status.ts")).showStatus));
  program.command("version").description("show the version")
    .action(run(async () => (await import("./show_version.ts")).showVersion));
  describeGroups(program, run);
  program.command("completion").description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "shell to complete in").choices(["bash", "zsh", "fish"]))
    .action(run(async () => {
      const { printCompletion } = await import("./print_completion.ts");
      return (invocation: Invocation) => printCompletion(invocation, commandTree(program));
    }));
  return program;
}

function describeGroups(program: Parser, run: Runner): void {
  const group = (name: string, description: string) =>
    program.command(name).helpCommand(false).description(description);
  const parts: CommandParts = { run, count: wholeNumber(1) };
  describeEvents(group("events", "publish and read events"), run);
  describeConsumers(group("consumers", "hand events to workers, each to one, until it is done with"), parts);
  describeJobs(group("jobs", "watch and steer background work"), parts);
  describeSchedules(group("schedules", "start jobs at their time"), { ...parts, whole: wholeNumber(0) });
  describeKeys(group("keys", "create, list and revoke API keys"), run);
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
  withFilters(events.command("query").description("print stored events"))
    .addOption(new Option("--order <ORDER>", "oldest or newest first").choices(["asc", "desc"]))
    .option("--limit <COUNT>", "events at the most", wholeNumber(1), 100)
    .option("--all", "all of them, however many")
    .action(run(async () => (await import("./query_events.ts")).queryEvents));
  events.command("follow").description("print events as they come, until Ctrl-C")
    .option("--subject <PATTERN>", "subject; * stands for one token, > for the rest")
    .option("--after-seq <SEQ>", "begin behind that sequence", wholeNumber(0))
    .option("--since <TIME>", "begin then: RFC 3339, or 15m, 2h, 7d ago")
    .action(run(async () => (await import("./follow_events.ts")).followEvents));
  events.command("chain").description("draw what caused an event, and all that it caused")
    .argument("<id>", "id of the event")
    .option("--depth <STEPS>", "steps up and down (default: 20)", wholeNumber(0))
    .option("--limit <COUNT>", "events of the whole tree (default: 200)", wholeNumber(1))
    .option("--origin <NODE>", "node of the event, where several have one with this id")
    .action(run(async () => (await import("./chain_events.ts")).chainEvents));
  describeReplays(events, run);
  events.command("verify").description("walk the event log and name the first broken link")
    .option("--from <SEQ>", "begin with this sequence, and believe what comes before", wholeNumber(1))
    .option("--expect <SEQ:HASH>", "head that an earlier verification showed: the log has to hold it still")
    .action(run(async () => (await import("./verify_events.ts")).verifyEvents));
  events.command("stats").description("show what the event log holds")
    .action(run(async () => (await import("./show_stats.ts")).showStats));
  describeFiles(events, run);
}

function describeFiles(events: Parser, run: Runner): void {
  withFilters(
    events.command("export").description(
      "write stored events to a file or standard output, one on each line",
    ),
  )
    .argument("[file]", "new file; .gz is compressed (default: standard output)")
    .option("--gzip", "compress, whatever the file is called")
    .option("--resume", "go on behind the last event of the file, if it is there; give the same filters")
    .action(run(async () => (await import("./export_events.ts")).exportEvents));
  events.command("import")
    .description("take in events that were exported; what is there already is left alone")
    .argument("<file>", "one event on each line, plain or gzip; - reads standard input")
    .action(run(async () => (await import("./import_events.ts")).importEvents));
}

/** The options by which stored events are chosen. */
function withFilters(command: Parser): Parser {
  return command
    .option("--subject <PATTERN>", "subject; * stands for one token, > for the rest")
    .option("--type <TYPE>", "type of the event")
    .option("--since <TIME>", "not before: RFC 3339, or 15m, 2h, 7d ago")
    .option("--until <TIME>", "before: RFC 3339, or 15m, 2h, 7d ago")
    .option("--correlation-id <ID>", "only what belongs together")
    .option("--project <SLUG>", "only what is about that project")
    .option("--origin <NODE>", "only what that node published")
    .option("--after-seq <SEQ>", "only behind that sequence", wholeNumber(0));
}

function describeReplays(events: Parser, run: Runner): void {
  events.command("replay").description("publish stored events once more, under subjects of their own")
    .option("--subject <PATTERN>", "subject; * stands for one token, > for the rest")
    .option("--type <TYPE>", "type of the event")
    .option("--since <TIME>", "not before: RFC 3339, or 15m, 2h, 7d ago")
    .option("--until <TIME>", "before: RFC 3339, or 15m, 2h, 7d ago")
    .option("--correlation-id <ID>", "only what belongs together")
    .option("--project <SLUG>", "only what is about that project")
    .option("--origin <NODE>", "only what that node published")
    .option("--after-seq <SEQ>", "only behind that sequence", wholeNumber(0))
    .option("--until-seq <SEQ>", "only up to that sequence", wholeNumber(0))
    .option(
      "--speed <N>",
      "1: as it happened, 10: ten times as fast, 0: as fast as possible (default)",
      decimalNumber,
    )
    .option("--max-gap <TIME>", "longest wait between two events, such as 5s")
    .option("--detach", "do not wait for its end")
    .action(run(async () => (await import("./replay_events.ts")).replayEvents));
  events.command("replays").description("list replays, the newest first")
    .action(run(async () => (await import("./list_replays.ts")).listReplays));
  events.command("cancel-replay").description("end a replay at once")
    .argument("<id>", "its id, as the list shows it")
    .action(run(async () => (await import("./cancel_replay.ts")).cancelReplay));
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

function decimalNumber(text: string): number {
  if (/^\d{1,7}(\.\d{1,6})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It has to be a number, 0 or more.");
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It has to be a whole number, ${least} or more.`);
  };
}
