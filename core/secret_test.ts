import { expect } from "expect";
import { inspect } from "node:util";
import { Secret, secretText } from "./secret.ts";

Deno.test("a secret gives itself away to nobody who does not ask for it", () => {
  const secret = new Secret("hunter2");
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }),
    Deno.inspect({ secret }, { depth: 10, showHidden: true } as Deno.InspectOptions),
    Object.entries(secret).join(),
    JSON.stringify(structuredClone({ ...secret })),
  ];
  for (const text of shown) expect(text).not.toContain("hunter2");
  expect(secret.reveal()).toBe("hunter2");
});

Deno.test("a configured secret has to be there", () => {
  expect(secretText().parse("x").reveal()).toBe("x");
  expect(secretText().safeParse("").success).toBe(false);
});
