import { expect } from "expect";
import { recordTerminal } from "../../tests/support/record_terminal.ts";
import { ProgressBar } from "./progress_bar.ts";

Deno.test("the bar shows part, count and rate within the width, and goes away at the end", () => {
  const terminal = recordTerminal({ width: 70 });
  {
    using bar = new ProgressBar(terminal, "Importing");
    expect(bar.visible).toBe(true);
    bar.update({ events: 1500, part: 0.5 });
    bar.update({ events: 1501, part: 0.51 }); // too soon to be seen
  }
  expect(terminal.shown).toEqual([
    expect.stringMatching(/^Importing {2}\[#{15}-{15}\] 50% {2}1,500 events {2}[\d,]+/),
    "",
  ]);
  expect(terminal.shown[0]!.length).toBeLessThan(70);
});

Deno.test("without a known size there is only the count; where nobody watches there is nothing", () => {
  const terminal = recordTerminal({ width: 70 });
  using bar = new ProgressBar(terminal, "Importing");
  bar.update({ events: 3, part: undefined });
  expect(terminal.shown).toEqual([expect.stringMatching(/^Importing {2}3 events {2}[\d,]+\/s$/)]);
  const pipe = recordTerminal();
  using quiet = new ProgressBar(pipe, "Importing");
  quiet.update({ events: 3, part: 1 });
  expect([quiet.visible, pipe.shown, pipe.noted]).toEqual([false, [], []]);
});

Deno.test("a note tells what is being done, where there is nothing to count", () => {
  const terminal = recordTerminal({ width: 70 });
  using bar = new ProgressBar(terminal, "rag.index");
  bar.update({ part: 0.25, note: "reading" });
  expect(terminal.shown).toEqual([expect.stringMatching(/^rag\.index {2}\[#{8}-{22}\] 25% {2}reading$/)]);
});
