import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect } from "expect";
import { z } from "zod";
import { defineEvent } from "../../../core/events.ts";
import { definePlugin, type Host, type Plugin } from "../../../core/plugin.ts";
import { startNatsServer } from "../../../tests/support/nats_server.ts";
import { startTestKernel } from "../../../tests/support/test_kernel.ts";
import { testWithNats } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

const noted = defineEvent("demo.noted", z.strictObject({}));

for (const [how, plugins] of [["with a log", [eventStore]], ["without a log", []]] as const) {
  testWithNats(`JetStream tells events by node and id (${how})`, async () => {
    await using nats = await startNatsServer({});
    const lent = Promise.withResolvers<Host>();
    const author = definePlugin({
      name: "author",
      summary: "Lends its host to a test",
      config: z.strictObject({}),
      prefixes: [],
      start: (host) => lent.resolve(host as Host),
    });
    const all: readonly Plugin[] = [...plugins, author];
    await using _kernel = await startTestKernel({ plugins: all, busUrl: nats.url, nodeId: "here" });
    const { id } = await (await lent.promise).publish(noted, {});
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    const message = await waitFor(
      () => manager.streams.getMessage("COMMANDCENTER_EVENTS", { seq: 1 }),
      { what: "the event" },
    );
    expect(message.header.get("Nats-Msg-Id")).toBe(`here:${id}`);
    expect(message.header.get("ce-id")).toBe(id);
    await connection.close();
  });
}
