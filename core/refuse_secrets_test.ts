import { expect } from "expect";
import { z } from "zod";
import { startTestKernel } from "../tests/support/test_kernel.ts";
import { defineEvent } from "./events.ts";
import { definePlugin, type Host } from "./plugin.ts";
import { defineQuery } from "./queries.ts";
import { refuseSecrets } from "./refuse_secrets.ts";
import { Secret } from "./secret.ts";

const secret = new Secret("hunter2");

const holders: Readonly<Record<string, unknown>> = {
  "it": secret,
  "token": { token: secret },
  "items.1.token": { items: [{}, { token: secret }] },
  "map.key": { map: new Map([["key", secret]]) },
  "set.0": { set: new Set([secret]) },
};

for (const [where, data] of Object.entries(holders)) {
  Deno.test(`data that holds a secret is refused: ${where}`, () => {
    expect(() => refuseSecrets(data, "Cannot keep this")).toThrow(`Cannot keep this: ${where} is a Secret`);
  });
}

Deno.test("data without one passes, circles and all", () => {
  const circle: Record<string, unknown> = {
    date: new Date(),
    bytes: new Uint8Array(1000),
    text: "[redacted]",
  };
  circle.self = circle;
  const shared = { a: 1 };
  for (const data of [undefined, null, 1, "x", circle, [shared, shared], { shared, again: { shared } }]) {
    expect(() => refuseSecrets(data, "Cannot keep this")).not.toThrow();
  }
  expect(() => refuseSecrets([shared, { shared, secret }], "x")).toThrow("1.secret is a Secret");
});

Deno.test("events, questions and answers with a secret in them are refused", async () => {
  let host: Host | undefined;
  const event = defineEvent("test.happened", z.looseObject({}));
  const query = defineQuery("test.ask", { ask: z.unknown(), answer: z.unknown() });
  const plugin = definePlugin({
    name: "test",
    summary: "Tries to give secrets away",
    config: z.strictObject({}),
    prefixes: [],
    start: (lent: Host) => {
      host = lent;
      lent.answer(query, (ask) => ask === "give it away" ? { secret } : "no");
    },
  });
  await using _kernel = await startTestKernel({ plugins: [plugin] });
  await expect(host!.publish(event, { deep: { secret } })).rejects.toThrow(
    'Cannot publish "test.happened": deep.secret is a Secret',
  );
  await expect(host!.ask(query, { secret })).rejects.toThrow('Cannot ask "test.ask": secret is a Secret');
  await expect(host!.ask(query, "give it away")).rejects.toThrow(
    'Cannot answer "test.ask": secret is a Secret',
  );
  expect(await host!.ask(query, "hello")).toBe("no");
});
