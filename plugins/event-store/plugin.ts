import { definePlugin } from "../../core/plugin.ts";
import { eventStoreConfig } from "./config.ts";
import { EventLog } from "./event_log.ts";
import { EventTail } from "./event_tail.ts";
import { GroupCommit } from "./group_commit.ts";
import { LiveStreams } from "./live_streams.ts";
import { declareEventMetrics } from "./event_metrics.ts";
import { migrations } from "./migrations.ts";
import { addPublishRoute } from "./publish_route.ts";
import { addGetRoute, addListRoute } from "./read_routes.ts";
import { Relay } from "./relay.ts";
import { addStatsRoute } from "./stats_route.ts";
import { EventStore } from "./store.ts";
import { addStreamRoutes } from "./stream_routes.ts";

/** Every change is a durable event: stored, found, streamed, and put on the bus. */
export default definePlugin({
  name: "event-store",
  summary: "Durable event log: publish, find, follow, relay",
  config: eventStoreConfig,
  prefixes: ["/api/events"],
  migrations,
  start: async (host) => {
    const { config, storage, bus, clock, log, node } = host;
    const store = new EventStore(storage);
    const tail = new EventTail({ store, log });
    const streams = new LiveStreams({ store, tail, settings: config.stream });
    const relay = new Relay({
      store,
      tail,
      bus,
      clock,
      log,
      nodeId: node.id,
      window: config.relay.window,
      resendMs: config.relay.resend,
    });
    const metrics = declareEventMetrics(host.metrics, { store, relay, streams, nodeId: node.id });
    const group = new GroupCommit({
      store,
      log,
      maxPending: config.max_pending,
      now: () => clock.now(),
      onCommitted: (rows) => tail.committed(rows),
      onLanded: metrics.landed,
    });
    host.onStop(() => group.drain());
    const events = new EventLog({
      store,
      storage,
      group,
      clock,
      maxPayloadBytes: config.max_payload,
      onLanded: metrics.landed,
    });
    await tail.start();
    host.keepEvents(events);
    host.onStop(storage.onCommit(() => group.isCommitting || tail.hint()));
    host.signal.addEventListener("abort", () => streams.stop(), { once: true });
    host.run("tail", (signal) => tail.follow(signal));
    host.run("relay", (signal) => relay.run(signal));
    host.check("relay", () => relay.health());

    addPublishRoute(host.http, { log: events, host });
    addListRoute(host.http, store);
    addStatsRoute(host.http, { store, storage, relay, streams, nodeId: node.id });
    addStreamRoutes(host.http, { streams, tickets: host.tickets });
    addGetRoute(host.http, store);
  },
});
