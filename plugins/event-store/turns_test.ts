import { expect } from "expect";
import { Turns } from "./turns.ts";

Deno.test("others have their turn in the middle of long work that never waits", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const work = new Turns();
  const end = performance.now() + 60;
  while (performance.now() < end) await work.next();
  clearInterval(timer);
  expect(turns).toBeGreaterThan(2);
});
