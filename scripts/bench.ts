// deno task bench [ROW ...] [--rounds N] [--json]: figures beside their baselines; docs/benchmarks.md explains them.
import { parseArgs } from "node:util";
import { messageOf } from "../core/errors.ts";
import { appendPostgresRow } from "./bench/append_postgres_row.ts";
import { appendRow, appendSubscribedRow } from "./bench/append_row.ts";
import { batchPostgresRow, batchRow } from "./bench/batch_row.ts";
import { binaryMemoryRow, binaryRow } from "./bench/binary_row.ts";
import { collectRow } from "./bench/collect_row.ts";
import { consumerRow } from "./bench/consumer_row.ts";
import { enqueuePostgresRow, enqueueRow } from "./bench/enqueue_row.ts";
import { healthRow } from "./bench/health_row.ts";
import { machineClass } from "./bench/machine_class.ts";
import { postRow } from "./bench/post_row.ts";
import { describeRow } from "./bench/print_summary.ts";
import { queryRow } from "./bench/query_row.ts";
import { relayRow } from "./bench/relay_row.ts";
import type { Row } from "./bench/row.ts";
import { runRounds } from "./bench/run_rounds.ts";
import { sseRow } from "./bench/sse_row.ts";
import { type RowSummary, summarize } from "./bench/summary.ts";
import { websocketRow, websocketSingleRow } from "./bench/websocket_row.ts";

const allRows: readonly Row[] = [
  appendRow,
  appendSubscribedRow,
  appendPostgresRow,
  batchRow,
  batchPostgresRow,
  postRow,
  healthRow,
  sseRow,
  websocketRow,
  websocketSingleRow,
  queryRow,
  consumerRow,
  relayRow,
  collectRow,
  binaryRow,
  binaryMemoryRow,
  enqueueRow,
  enqueuePostgresRow,
];
const usage = `deno task bench [ROW ...] [--rounds N] [--json]
  ROW: ${allRows.map(({ name }) => name).join(", ")} (default: all)`;

interface Choice {
  readonly rows: readonly Row[];
  readonly rounds: number;
  readonly json: boolean;
}

/** Throws an error with the usage where the arguments do not fit. */
function readArguments(args: string[]): Choice {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } },
  });
  const unknown = positionals.find((name) => !allRows.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`Cannot run "${unknown}": there is no such row\n${usage}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`Cannot run "${values.rounds}" rounds: expected 1 or more\n${usage}`);
  }
  const rows = positionals.length === 0 ? allRows : allRows.filter(({ name }) => positionals.includes(name));
  return { rows, rounds, json: values.json };
}

async function measure(row: Row, rounds: number): Promise<RowSummary> {
  await using contest = await row.open();
  return summarize(row, await runRounds(contest, { rounds, turns: row.turns }));
}

function print(line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

async function main({ rows, rounds, json }: Choice): Promise<void> {
  const machine = machineClass();
  if (!json) print(Object.entries(machine).map(([name, value]) => `${name}: ${value}`).join(", "));
  const summaries: RowSummary[] = [];
  for (const row of rows) {
    const missing = row.missing?.();
    if (missing !== undefined) {
      if (!json) print(`\n${row.name}: left out, ${missing}`);
      continue;
    }
    const summary = await measure(row, rounds);
    summaries.push(summary);
    if (!json) print(`\n${describeRow(summary).join("\n")}`);
  }
  if (json) {
    print(JSON.stringify({ date: new Date().toISOString(), machine, rounds, rows: summaries }, null, 2));
  }
}

/** The choice, or exit status 2 with the usage. */
function chosen(): Choice {
  try {
    return readArguments(Deno.args);
  } catch (error) {
    print(messageOf(error));
    Deno.exit(2);
  }
}

if (import.meta.main) await main(chosen());
