import type { CommandParts, Parser } from "./program.ts";

/** `schedules`: jobs at their time. */
export function describeSchedules(schedules: Parser, { run, count, whole }: ScheduleParts): void {
  const one = (name: string, description: string) =>
    schedules.command(name).description(description).argument("<id>", "id of the schedule");
  schedules.command("list").description("list schedules, the newest first")
    .option("--job <NAME>", "only those that start jobs of that name")
    .option("--project <SLUG>", "only those for that project")
    .option("--limit <COUNT>", "schedules at the most", count, 100)
    .action(run(async () => (await import("./list_schedules.ts")).listSchedules));
  one("show", "show a schedule with its next and last runs")
    .action(run(async () => (await import("./show_schedule.ts")).showSchedule));
  describeCreate(schedules.command("create"), whole)
    .action(run(async () => (await import("./create_schedule.ts")).createSchedule));
  one("enable", "let a schedule run, from now on")
    .action(run(async () => (await import("./enable_schedule.ts")).enableSchedule));
  one("disable", "have a schedule rest")
    .action(run(async () => (await import("./disable_schedule.ts")).disableSchedule));
  one("run", "start the job of a schedule now")
    .action(run(async () => (await import("./run_schedule.ts")).runSchedule));
  one("delete", "forget a schedule; jobs that it has started go on")
    .action(run(async () => (await import("./delete_schedule.ts")).deleteSchedule));
}

interface ScheduleParts extends CommandParts {
  /** Reads 0 or more. */
  readonly whole: (text: string) => number;
}

function describeCreate(create: Parser, whole: ScheduleParts["whole"]): Parser {
  return create.description("start a job again and again, or once at a time to come")
    .argument("<name>", "what it is for")
    .argument("<job>", "name of the job")
    .argument("[input]", "JSON that the job is given (default: null)")
    .option("--once <TIME>", "once, at 2026-01-31T12:00 of its zone, or RFC 3339")
    .option("--hourly <MINUTE>", "each hour at that minute", whole)
    .option("--daily <TIME>", "each day at 08:30")
    .option("--weekly <DAYS>", "each week on mon,fri; with --at")
    .option("--monthly <DAY>", "each month on that day, 1 to 31 or last; with --at")
    .option("--cron <PATTERN>", "five fields: minute, hour, day, month, day of the week")
    .option("--at <TIME>", "when on that day, such as 08:30")
    .option("--timezone <ZONE>", "IANA name such as Europe/Berlin (default: UTC)")
    .option("--from <DATE>", "not before that date")
    .option("--to <DATE>", "not after that date")
    .option("--project <SLUG>", "project it is for")
    .option("--priority <NUMBER>", "of its jobs, -100 to 100; larger comes first (default: 0)", Number)
    .option("--missed <POLICY>", "skip, once or all: what becomes of runs that no agent was there for")
    .option("--overlap", "begin a run also while the job of another one is unfinished")
    .option("--disabled", "do not run it yet");
}
