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

Deno.test("a request is answered in the middle of long work", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("here"),
  );
  const ask = async () => await (await fetch(`http://127.0.0.1:${server.addr.port}`)).text();
  await ask(); // what takes long the first time is not what this is about
  let isAnswered = false;
  const answer = ask().then(() => isAnswered = true);
  const work = new Turns();
  let pieces = 0;
  for (; !isAnswered && pieces < 200; pieces++) {
    for (const end = performance.now() + 6; performance.now() < end;);
    await work.next();
  }
  await answer;
  expect(pieces).toBeLessThan(40);
});
