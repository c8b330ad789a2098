import { CliError, exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printSchedule } from "./print_schedule.ts";

export interface CreateScheduleOptions {
  readonly once?: string;
  readonly hourly?: number;
  readonly daily?: string;
  readonly weekly?: string;
  readonly monthly?: string;
  readonly cron?: string;
  readonly at?: string;
  readonly timezone?: string;
  readonly from?: string;
  readonly to?: string;
  readonly project?: string;
  readonly priority?: number;
  readonly missed?: string;
  readonly overlap?: boolean;
  readonly disabled?: boolean;
}

/** `schedules create NAME JOB [INPUT]`: starts a job again and again, or once. */
export async function createSchedule(invocation: Invocation<CreateScheduleOptions>): Promise<number> {
  const { options, operands: [name, job, input] } = invocation;
  const body = {
    name,
    job,
    input: input === undefined ? undefined : parseInput(input),
    when: whenOf(options),
    timezone: options.timezone,
    window: { from: options.from, to: options.to },
    project: options.project,
    priority: options.priority,
    missed: options.missed,
    overlap: options.overlap,
    enabled: options.disabled ? false : undefined,
  };
  const client = await openClient(invocation);
  printSchedule(invocation, await client.request("POST", "/api/schedules", { body }));
  return exitCode.ok;
}

function whenOf({ once, hourly, daily, weekly, monthly, cron, at }: CreateScheduleOptions): unknown {
  const kinds = [
    once === undefined ? [] : { kind: "once", at: once },
    hourly === undefined ? [] : { kind: "hourly", minute: hourly },
    daily === undefined ? [] : { kind: "daily", at: daily },
    weekly === undefined ? [] : { kind: "weekly", days: weekly.toLowerCase().split(","), at },
    monthly === undefined ? [] : { kind: "monthly", day: dayOf(monthly), at },
    cron === undefined ? [] : { kind: "cron", pattern: cron },
  ].flat();
  const isTimed = weekly !== undefined || monthly !== undefined;
  if (kinds.length === 1 && isTimed === (at !== undefined)) return kinds[0];
  throw new CliError(
    kinds.length === 1
      ? "Cannot create the schedule: --at belongs to --weekly and --monthly, which need it"
      : "Cannot create the schedule: give one of --once, --hourly, --daily, --weekly, --monthly, --cron",
    { exitCode: exitCode.usage },
  );
}

function dayOf(text: string): number | string {
  return /^\d{1,2}$/.test(text) ? Number(text) : text;
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError("Cannot read the input: it is no JSON", {
      exitCode: exitCode.usage,
      hint: `Keep the shell away from it with single quotes: '{"source":"docs"}'`,
      cause,
    });
  }
}
