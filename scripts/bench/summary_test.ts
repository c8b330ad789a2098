import { expect } from "expect";
import type { Goal, Row } from "./row.ts";
import { quantile, spread, summarize } from "./summary.ts";

function row(goal: Goal): Row {
  const open = () => Promise.reject(new Error("nobody opens it"));
  return { name: "row", work: "w", baseline: "b", unit: "ms", goal, open };
}

const round = (work: number, baseline: number) => ({
  work: { figure: work, also: { lag_ms: work * 10 } },
  baseline: { figure: baseline },
});

Deno.test("ratios are taken round by round, so that a slow round is no slow side", () => {
  const summary = summarize(row({ kind: "ratio", atLeast: 0.5 }), [
    round(6, 10),
    round(60, 100),
    round(1, 10),
  ]);
  expect(summary.ratio).toEqual({ median: 0.6, min: 0.1, max: 0.6 });
  expect(summary.work.figure).toEqual({ median: 6, min: 1, max: 60 });
  expect(summary.work.also).toEqual({ lag_ms: 60 });
  expect(summary.reached).toBe(true);
});

Deno.test("a goal is reached or not by the median; without a goal nothing is said", () => {
  const rounds = [round(30, 10), round(19, 10), round(20, 10)];
  expect(summarize(row({ kind: "figure", below: 20 }), rounds).reached).toBe(false);
  expect(summarize(row({ kind: "figure", below: 20.1 }), rounds).reached).toBe(true);
  expect(summarize(row({ kind: "ratio", atLeast: 2.1 }), rounds).reached).toBe(false);
  expect(summarize(row({ kind: "none" }), rounds)).not.toHaveProperty("reached");
});

Deno.test("growth is judged by the figure that grew most, and by the figure itself", () => {
  const goal = { kind: "growth", of: ["rare_ms", "dense_ms"], atMost: 2, below: 20 } as const;
  const measured = (figure: number, [rare, dense]: [number, number]) => ({
    work: { figure, also: { rare_ms: rare, dense_ms: dense } },
    baseline: { figure: 1, also: { rare_ms: 2, dense_ms: 4 } },
  });
  expect(summarize(row(goal), [measured(19, [4, 4])])).toMatchObject({ growth: 2, reached: true });
  expect(summarize(row(goal), [measured(19, [4.2, 4])])).toMatchObject({ growth: 2.1, reached: false });
  expect(summarize(row(goal), [measured(20, [4, 4])])).toMatchObject({ growth: 2, reached: false });
});

Deno.test("quantiles are numbers that were seen", () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([0, 0.5, 0.99, 1].map((share) => quantile(hundred, share))).toEqual([1, 51, 100, 100]);
  expect(() => quantile([], 0.5)).toThrow("there are no numbers");
});
