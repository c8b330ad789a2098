import { startNatsServer } from "../support/nats_server.ts";
import { testWithNats } from "../support/test_with.ts";
import { openNats } from "./bus_nats_opener.ts";
import type { OpenedBus } from "./bus_case.ts";
import { testBus } from "./bus_suite.ts";

async function open(): Promise<OpenedBus> {
  const server = await startNatsServer();
  const opened = await openNats({ url: server.url });
  return {
    ...opened,
    async [Symbol.asyncDispose]() {
      await opened.bus.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

testBus({ name: "NATS", open, test: testWithNats });
