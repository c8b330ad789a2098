import { expect } from "expect";
import type { Contest } from "./row.ts";
import { runRounds } from "./run_rounds.ts";

function recording(figures: readonly number[]): { calls: string[]; contest: Contest } {
  const calls: string[] = [];
  let next = 0;
  const measure = (side: string) => () => {
    calls.push(side);
    return Promise.resolve({ figure: figures[next++ % figures.length]!, also: { turn: calls.length } });
  };
  const contest = {
    work: measure("work"),
    baseline: measure("baseline"),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { calls, contest };
}

Deno.test("both sides take turns, who is first changes, and the first round does not count", async () => {
  const { calls, contest } = recording([1]);
  const rounds = await runRounds(contest, { rounds: 2 });
  expect(calls).toEqual(["work", "baseline", "baseline", "work", "work", "baseline"]);
  expect(rounds).toHaveLength(2);
});

Deno.test("turns of a round become the rate over all of them", async () => {
  const { calls, contest } = recording([100, 10, 40, 50]);
  const [round] = await runRounds(contest, { rounds: 1, turns: 2 });
  expect(calls.slice(4)).toEqual(["baseline", "work", "work", "baseline"]);
  expect(round!.work.figure).toBeCloseTo(16); // 2 / (1/10 + 1/40)
  expect(round!.baseline.figure).toBeCloseTo(200 / 3); // 2 / (1/100 + 1/50)
});
