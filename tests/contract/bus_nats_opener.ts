import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { z } from "zod";
import type { BusStatus } from "../../core/bus/bus.ts";
import { openBus } from "../../core/bus/open_bus.ts";
import { busSettings } from "../../core/bus/settings.ts";
import { systemClock } from "../../core/clock.ts";
import type { Logger } from "../../core/log.ts";
import { waitFor } from "../support/wait_for.ts";
import type { OpenedBus } from "./bus_case.ts";

/** A bus over NATS with what it logged. */
export interface OpenedNats extends OpenedBus {
  /** Lines as `warn message`. */
  readonly lines: readonly string[];
  /** Resolves when the status is as `accept` wants it. */
  status(what: string, accept: (status: BusStatus) => boolean): Promise<BusStatus>;
}

/** Opens a bus with these settings; `await using` closes it. */
export async function openNats(settings: z.input<typeof busSettings>): Promise<OpenedNats> {
  const handlerErrors: OpenedBus["handlerErrors"] = [];
  const lines: string[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const log: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  };
  const bus = await openBus(busSettings.parse(settings), {
    log,
    clock: systemClock,
    clientName: "test",
    onHandlerError: (error, subject) => handlerErrors.push({ error, subject }),
  });
  return {
    bus,
    handlerErrors,
    lines,
    async status(what, accept) {
      await waitFor(() => accept(bus.status()), { what: `the bus to be ${what}`, timeoutMs: 30_000 });
      return bus.status();
    },
    [Symbol.asyncDispose]: () => bus.close(),
  };
}

/** Name of the stream where nothing else is configured. */
export const streamName = "COMMANDCENTER_EVENTS";

/** What an operator does to the server with a tool of their own. */
export async function manage<Result>(
  url: string,
  work: (manager: JetStreamManager) => Promise<Result>,
): Promise<Result> {
  const connection = await connect({ servers: url, reconnect: false });
  try {
    return await work(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}
