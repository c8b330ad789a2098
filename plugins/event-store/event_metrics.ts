import type { PluginMetrics } from "../../core/metrics.ts";
import type { Landed } from "./log/draft.ts";
import type { LiveStreams } from "./stream/live_streams.ts";
import type { Relay } from "./relay/relay.ts";
import type { EventStore } from "./store.ts";

interface Measured {
  readonly store: EventStore;
  readonly relay: Relay;
  readonly streams: LiveStreams;
  readonly nodeId: string;
}

/** Declares the metrics of the log; `landed` counts one append and costs next to nothing. */
export function declareEventMetrics(
  metrics: PluginMetrics,
  { store, relay, streams, nodeId }: Measured,
): { landed: (landed: Pick<Landed, "duplicate">) => void } {
  const appended = metrics.counter({
    name: "commandcenter_events_appended_total",
    help: "Events stored by this process",
  });
  const duplicates = metrics.counter({
    name: "commandcenter_events_duplicates_total",
    help: "Events that were sent again and had been stored before",
  });
  metrics.gauge({
    name: "commandcenter_events_last_seq",
    help: "Last sequence of the log",
    collect: () => store.headSeq(),
  });
  metrics.gauge({
    name: "commandcenter_events_stored",
    help: "Events in the log",
    collect: async () => (await store.head()).events,
  });
  metrics.gauge({
    name: "commandcenter_events_relay_lag",
    help: "Sequences of the log that the relay has yet to put on the bus",
    collect: () => relay.lag(),
  });
  metrics.gauge({
    name: "commandcenter_events_parked",
    help: "Events of this node that the bus can never take",
    collect: () => store.parkedCount(nodeId),
  });
  metrics.gauge({
    name: "commandcenter_events_stream_clients",
    help: "Open WebSocket and SSE connections",
    collect: () => streams.count,
  });
  return { landed: ({ duplicate }) => (duplicate ? duplicates : appended).inc() };
}
