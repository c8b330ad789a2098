import { isObject, type JsonObject } from "./client.ts";
import { exitCode } from "./cli_error.ts";
import { oneLine } from "./escape_controls.ts";
import type { Invocation } from "./invocation.ts";
import { openClient } from "./open_client.ts";
import { printJson } from "./print_json.ts";
import { type Column, createTable } from "./table.ts";

export interface ChainOptions {
  readonly depth?: number;
  readonly limit?: number;
  readonly origin?: string;
}

interface Strokes {
  readonly branch: string;
  readonly last: string;
  readonly pass: string;
  readonly more: string;
  readonly asked: string;
}

const lines: Strokes = { branch: "├─ ", last: "└─ ", pass: "│  ", more: "…", asked: " ◄" };
const plainLines: Strokes = { branch: "|- ", last: "`- ", pass: "|  ", more: "...", asked: " <" };

/** A line of the drawing: an event, or the sign that some are left out. */
interface Row {
  readonly tree: string;
  readonly event: JsonObject;
  readonly isAsked: boolean;
}

const columns: readonly Column<Row>[] = [
  { title: "EVENT", value: (row) => row.tree, style: (row) => row.isAsked ? "bold" : undefined },
  { title: "TIME", value: (row) => row.event.timestamp, style: () => "dim" },
  { title: "ID", value: (row) => row.event.id },
  { title: "SUBJECT", value: (row) => row.event.subject, style: () => "cyan" },
];

/** `events chain ID`: draws what caused an event, back to the first cause, and all that it caused. */
export async function chainEvents(invocation: Invocation<ChainOptions>): Promise<number> {
  const { terminal, options, operands: [id = ""] } = invocation;
  const { depth, limit, origin } = options;
  const client = await openClient(invocation);
  const chain = await client.request("GET", `/api/events/${encodeURIComponent(id)}/chain`, {
    query: { depth, limit, origin },
  });
  if (options.json) {
    printJson(terminal, chain);
    return exitCode.ok;
  }
  const { LC_ALL, LC_CTYPE, LANG } = terminal.env;
  const strokes = /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "") ? lines : plainLines;
  createTable(terminal, columns)(drawTree(chain, strokes));
  const { causes, effects } = isObject(chain.truncated) ? chain.truncated : {};
  if (causes) terminal.note("There are further causes above; a larger --depth shows them.");
  if (effects) terminal.note("Some effects are left out; a larger --depth or --limit shows them.");
  return exitCode.ok;
}

function drawTree(chain: JsonObject, strokes: Strokes): Row[] {
  const nodes = Array.isArray(chain.nodes) ? chain.nodes.filter(isObject) : [];
  const rows: Row[] = [];
  const draw = (node: JsonObject, { own, below }: { own: string; below: string }) => {
    const isAsked = node.node === chain.asked;
    rows.push({ tree: own + label(node) + (isAsked ? strokes.asked : ""), event: node, isAsked });
    const effects = nodes.filter((each) => each.parent === node.node);
    effects.forEach((effect, index) => {
      const isLast = index === effects.length - 1 && !node.truncated;
      draw(effect, {
        own: below + (isLast ? strokes.last : strokes.branch),
        below: below + (isLast ? " ".repeat(strokes.pass.length) : strokes.pass),
      });
    });
    if (node.truncated) rows.push({ tree: below + strokes.last + strokes.more, event: {}, isAsked: false });
  };
  for (const root of nodes.filter((node) => node.parent === null)) draw(root, { own: "", below: "" });
  return rows;
}

function label(node: JsonObject): string {
  return (node.missing ? "(missing)" : oneLine(node.type)) + (node.cycle ? " (cycle)" : "");
}
