import { definePlugin } from "../../core/plugin.ts";
import { addCollect } from "./collect/add_collect.ts";
import { addChainRoute } from "./chain/chain_route.ts";
import { eventStoreConfig } from "./config.ts";
import { addConsumers } from "./consumers/add_consumers.ts";
import { addIntegrity } from "./integrity/add_integrity.ts";
import { inspectBackup } from "./integrity/inspect_backup.ts";
import { LogCondition } from "./integrity/log_condition.ts";
import { EventLog } from "./log/event_log.ts";
import { EventTail } from "./log/event_tail.ts";
import { GroupCommit } from "./log/group_commit.ts";
import { LiveStreams } from "./stream/live_streams.ts";
import { declareEventMetrics } from "./event_metrics.ts";
import { migrations } from "./migrations.ts";
import { addBatchRoute } from "./intake/batch_route.ts";
import { addImportRoute } from "./intake/import_route.ts";
import { addPublishRoute } from "./intake/publish_route.ts";
import { addGetRoute, addListRoute } from "./read/read_routes.ts";
import { Relay } from "./relay/relay.ts";
import { addReplays } from "./replay/add_replays.ts";
import { addRetention } from "./retention/add_retention.ts";
import { anchorKeyFile } from "./retention/anchor_key.ts";
import { addStatsRoute } from "./read/stats_route.ts";
import { EventIndex } from "./search/event_index.ts";
import { SubjectCatalog } from "./search/subject_catalog.ts";
import { EventStore } from "./store.ts";
import { addStreamRoutes } from "./stream/stream_routes.ts";

/** Every change is a durable event: stored, found, streamed, and put on the bus. */
export default definePlugin({
  name: "event-store",
  summary: "Durable event log: publish, find, follow, relay",
  config: eventStoreConfig,
  prefixes: ["/api/events"],
  migrations,
  backup: { keyFiles: [anchorKeyFile], inspect: inspectBackup },
  start: async (host) => {
    const { config, storage, bus, clock, log, node } = host;
    const condition = new LogCondition(log);
    const store = new EventStore(storage, condition);
    const tail = new EventTail({ store, log });
    const subjects = new SubjectCatalog({ index: new EventIndex(storage), tail, log });
    const streams = new LiveStreams({ store, tail, subjects, settings: config.stream });
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
    const consumers = addConsumers(host, { events: store, tail, subjects });
    const events = new EventLog({
      store,
      storage,
      group,
      clock,
      maxPayloadBytes: config.max_payload,
      consume: (options, handle) => consumers.consume(options, handle),
      onLanded: metrics.landed,
    });
    await addIntegrity(host, condition);
    await tail.start();
    host.keepEvents(events);
    const collect = addCollect(host, { store, tail, onLanded: metrics.landed });
    host.onStop(storage.onCommit(() => group.isCommitting || collect.isCommitting() || tail.hint()));
    host.signal.addEventListener("abort", () => streams.stop(), { once: true });
    host.run("tail", (signal) => tail.follow(signal));
    host.run("subjects", (signal) => subjects.follow(signal));
    host.run("relay", (signal) => relay.run(signal));
    host.check("relay", () => relay.health());

    addPublishRoute(host.http, { log: events, host });
    addBatchRoute(host.http, { log: events, host });
    addImportRoute(host.http, events);
    addListRoute(host.http, { store, subjects });
    const retention = addRetention(host, { tail, condition });
    addStatsRoute(host.http, { store, storage, relay, streams, retention, nodeId: node.id });
    addStreamRoutes(host.http, { streams, tickets: host.tickets });
    addReplays(host, { store, streams, subjects });
    addChainRoute(host.http, { store, storage });
    addGetRoute(host.http, store);
  },
});
