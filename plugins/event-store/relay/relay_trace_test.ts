import { expect } from "expect";
import { z } from "zod";
import type { BusMessage } from "../../../core/bus/bus.ts";
import { currentContext } from "../../../core/context.ts";
import { defineEvent } from "../../../core/events.ts";
import { definePlugin, type Host } from "../../../core/plugin.ts";
import { startNatsServer } from "../../../tests/support/nats_server.ts";
import { startTestKernel } from "../../../tests/support/test_kernel.ts";
import { testWithNats } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const traced = defineEvent("demo.traced", z.strictObject({ n: z.int() }));

/** Publishes with and without a trace over HTTP, and tells what came out on the bus and in a handler. */
async function traceThrough(busUrl?: string) {
  const messages: BusMessage[] = [];
  const handled: (string | undefined)[] = [];
  const follower = definePlugin({
    name: "follower",
    summary: "Notes what it is traced by",
    config: z.strictObject({}),
    prefixes: [],
    start: (host: Host) => {
      host.bus.subscribe("hub.*.demo.traced", (message) => void messages.push(message));
      host.subscribe(traced, () => void handled.push(currentContext()?.traceparent), { durable: "note" });
    },
  });
  await using kernel = await startTestKernel({
    plugins: [eventStore, follower],
    ...(busUrl === undefined ? {} : { busUrl }),
  });
  for (const [n, headers] of [{ traceparent }, { traceparent: "00-not-a-trace" }].entries()) {
    const response = await kernel.fetch("/api/events", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ subject: "demo.traced", payload: { n } }),
    });
    expect(response.status).toBe(201);
    await response.body?.cancel();
  }
  await waitFor(() => messages.length === 2 && handled.length === 2, { what: "both events" });
  return { sent: messages.map(({ headers }) => headers["ce-traceparent"]), handled };
}

const expected = { sent: [traceparent, undefined], handled: [traceparent, undefined] };

Deno.test("the trace of a request goes along to a memory bus and into the handler", async () => {
  expect(await traceThrough()).toEqual(expected);
});

testWithNats("the trace of a request goes along to NATS and into the handler", async () => {
  await using nats = await startNatsServer({});
  expect(await traceThrough(nats.url)).toEqual(expected);
});
