import { expect } from "expect";
import { getLogger } from "./log.ts";
import { pause, supervise } from "./supervise.ts";

Deno.test("a supervised loop is started again until it is told to stop, and its errors are told", async () => {
  const stop = new AbortController();
  const errors: unknown[] = [];
  let runs = 0;
  await supervise((signal) => {
    if (++runs === 1) return Promise.reject(new Error("stumbled"));
    stop.abort();
    return pause(60_000, signal);
  }, { name: "test", signal: stop.signal, log: getLogger("test"), onError: (error) => errors.push(error) });
  expect(runs).toBe(2);
  expect(errors).toEqual([new Error("stumbled")]);
});

Deno.test("what a loop throws because it was stopped is no error", async () => {
  const stop = new AbortController();
  const errors: unknown[] = [];
  await supervise(() => {
    stop.abort();
    return Promise.reject(new Error("aborted"));
  }, { name: "test", signal: stop.signal, log: getLogger("test"), onError: (error) => errors.push(error) });
  expect(errors).toEqual([]);
});

Deno.test("a pause ends at once when it is aborted, before or meanwhile, and leaves no timer", async () => {
  await pause(60_000, AbortSignal.abort());
  const stop = new AbortController();
  const waiting = pause(60_000, stop.signal);
  stop.abort();
  await waiting;
});
