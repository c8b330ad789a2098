import { systemClock } from "../../core/clock.ts";
import { openBus } from "../../core/bus/open_bus.ts";
import { busSettings } from "../../core/bus/settings.ts";
import { getLogger } from "../../core/log.ts";
import type { OpenedBus } from "./bus_case.ts";
import { testBus } from "./bus_suite.ts";

async function open(): Promise<OpenedBus> {
  const handlerErrors: OpenedBus["handlerErrors"] = [];
  const bus = await openBus(busSettings.parse({}), {
    log: getLogger("test"),
    clock: systemClock,
    clientName: "test",
    onHandlerError: (error, subject) => handlerErrors.push({ error, subject }),
  });
  return { bus, handlerErrors, [Symbol.asyncDispose]: () => bus.close() };
}

testBus({ name: "memory", open, test: Deno.test });
