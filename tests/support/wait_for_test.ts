import { expect } from "expect";
import { waitFor, within } from "./wait_for.ts";

Deno.test("waitFor returns the first truthy value", async () => {
  let polls = 0;
  expect(await waitFor(() => ++polls === 3 && "third", { what: "the third poll" })).toBe("third");
  expect(polls).toBe(3);
});

Deno.test("waitFor names what it waited for, and keeps the last error as the cause", async () => {
  const never = waitFor(() => false, { what: "a miracle", timeoutMs: 20 });
  await expect(never).rejects.toThrow('Cannot wait for "a miracle": not so after 20 ms');
  const broken = () => {
    throw new Error("refused");
  };
  const error = await waitFor(broken, { what: "an answer", timeoutMs: 20 }).catch((error) => error);
  expect(error.cause.message).toBe("refused");
});

Deno.test("waitFor gives up on a condition that hangs", async () => {
  const hanging = waitFor(() => new Promise<boolean>(() => {}), { what: "a hanging probe", timeoutMs: 20 });
  await expect(hanging).rejects.toThrow('Cannot wait for "a hanging probe"');
});

Deno.test("within passes on the result and the error of the work", async () => {
  expect(await within(Promise.resolve(7), { what: "work", timeoutMs: 1_000 })).toBe(7);
  const failing = within(() => Promise.reject(new Error("broken")), { what: "work", timeoutMs: 1_000 });
  await expect(failing).rejects.toThrow("broken");
});
