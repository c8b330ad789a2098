import { expect } from "expect";
import { recordTerminal } from "../../tests/support/record_terminal.ts";
import { type Column, createTable, printFields } from "./table.ts";

interface Row {
  readonly seq: number;
  readonly name: string;
  readonly text?: unknown;
}

const columns: readonly Column<Row>[] = [
  { title: "SEQ", value: (row) => row.seq, align: "right" },
  { title: "NAME", value: (row) => row.name, maxWidth: 8 },
  { title: "TEXT", value: (row) => row.text },
];

Deno.test("columns are aligned by what is seen, also for wide characters", () => {
  const terminal = recordTerminal();
  createTable(terminal, columns)([
    { seq: 7, name: "plain", text: { a: 1 } },
    { seq: 1234, name: "你好", text: "x" },
    { seq: 12, name: "café", text: null },
  ]);
  expect(terminal.printed).toEqual([
    " SEQ  NAME   TEXT",
    '   7  plain  {"a":1}',
    "1234  你好   x",
    "  12  café",
  ]);
});

Deno.test("later rows continue below, without a second heading", () => {
  const terminal = recordTerminal();
  const print = createTable(terminal, columns);
  print([{ seq: 100, name: "first" }]);
  print([{ seq: 2, name: "b", text: "x" }]);
  expect(terminal.printed).toEqual(["SEQ  NAME   TEXT", "100  first", "  2  b      x"]);
});

Deno.test("a terminal gets no line wider than itself, a pipe gets everything", () => {
  const row = { seq: 1, name: "a-long-name-indeed", text: "你".repeat(40) };
  const narrow = recordTerminal({ width: 30 });
  createTable(narrow, columns)([row]);
  expect(narrow.printed[1]).toBe("  1  a-long-…  " + "你".repeat(7) + "…");
  const pipe = recordTerminal();
  createTable(pipe, columns)([row]);
  expect(pipe.printed[1]).toBe("  1  a-long-name-indeed  " + "你".repeat(40));
});

Deno.test("a text that just fits is not cut", () => {
  const terminal = recordTerminal({ width: 80 });
  createTable(terminal, columns)([{ seq: 1, name: "12345678" }, { seq: 2, name: "123456789" }, {
    seq: 3,
    name: "e\u0301".repeat(8),
  }]);
  expect(terminal.printed.slice(1)).toEqual([
    "  1  12345678",
    "  2  1234567…",
    "  3  " + "e\u0301".repeat(8),
  ]);
});

Deno.test("styles enclose the text and do not move the columns", () => {
  const terminal = recordTerminal({ colours: true });
  createTable<Row>(terminal, [
    { title: "NAME", value: (row) => row.name, style: (row) => row.seq > 1 ? "red" : undefined },
    { title: "SEQ", value: (row) => row.seq },
  ])([{ seq: 1, name: "up" }, { seq: 2, name: "down" }]);
  expect(terminal.printed).toEqual([
    "<bold>NAME</bold>  <bold>SEQ</bold>",
    "up    1",
    "<red>down</red>  2",
  ]);
});

Deno.test("control characters in data do not reach the terminal", () => {
  const terminal = recordTerminal({ width: 80 });
  createTable(terminal, columns)([{ seq: 1, name: "\u001b[2J", text: { a: "\u009b31m" } }]);
  printFields(terminal, { "na\u0007me": "\u001b]0;title\u0007" });
  expect(terminal.printed.join("\n")).not.toMatch(/[^\P{Cc}\n]/u);
});

Deno.test("fields stand below each other, without the empty ones", () => {
  const terminal = recordTerminal();
  printFields(terminal, { id: "k1", projects: null, expires: "", count: 0 });
  expect(terminal.printed).toEqual(["id     k1", "count  0"]);
  const coloured = recordTerminal({ colours: true });
  printFields(coloured, { status: "down", id: 1 }, { styles: { status: "red" } });
  expect(coloured.printed).toEqual(["<dim>status</dim>  <red>down</red>", "<dim>id    </dim>  1"]);
});
