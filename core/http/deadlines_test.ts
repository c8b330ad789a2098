import { expect } from "expect";
import { waitFor } from "../../tests/support/wait_for.ts";
import { Deadlines } from "./deadlines.ts";

Deno.test("what is not ended in time expires, in order; what is ended does not", async () => {
  const deadlines = new Deadlines(20);
  const expired: string[] = [];
  deadlines.start(() => expired.push("first"));
  deadlines.start(() => expired.push("ended"))();
  deadlines.start(() => expired.push("second"));
  await waitFor(() => expired.length === 2, { what: "two deadlines" });
  expect(expired).toEqual(["first", "second"]);
  deadlines.start(() => expired.push("third"));
  await waitFor(() => expired.length === 3, { what: "the timer to be set again" });
  deadlines.close();
});

Deno.test("closing forgets every wait and leaves no timer", () => {
  const deadlines = new Deadlines(60_000);
  deadlines.start(() => expect("this").toBe("never called"));
  deadlines.close();
});
