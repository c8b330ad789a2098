import type { Host } from "../../../core/plugin.ts";
import type { EventStoreConfig } from "../config.ts";
import type { LiveStreams } from "../stream/live_streams.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import { addReplayRoutes } from "./replay_routes.ts";
import { ReplayStore } from "./replay_store.ts";
import { addReplayStreamRoute } from "./replay_stream_route.ts";
import { Replays } from "./replays.ts";

/** Replays with their routes, metrics, and the loop that takes them up again after a restart. */
export function addReplays(
  host: Host<EventStoreConfig>,
  { store, streams, subjects }: { store: EventStore; streams: LiveStreams; subjects: SubjectCatalog },
): void {
  const { bus, clock, log, config, storage, metrics } = host;
  const replayed = metrics.counter({
    name: "commandcenter_events_replayed_total",
    help: "Stored events that replays have published once more",
  });
  const replays = new Replays({
    store,
    subjects,
    replays: new ReplayStore(storage),
    bus,
    clock,
    log,
    nodeId: host.node.id,
    maxRunning: config.replay.max_running,
    keep: config.replay.keep,
    onReplayed: (count) => replayed.inc(count),
    stopping: host.signal,
  });
  metrics.gauge({
    name: "commandcenter_events_replays",
    help: "Replays that this agent is running",
    collect: () => replays.count,
  });
  host.run("replays", (signal) => replays.run(signal));
  addReplayRoutes(host.http, replays);
  addReplayStreamRoute(host.http, { replays, store, streams, subjects });
}
