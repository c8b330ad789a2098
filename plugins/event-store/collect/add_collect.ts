import type { Health } from "../../../core/health.ts";
import type { Host } from "../../../core/plugin.ts";
import type { EventStoreConfig } from "../config.ts";
import type { Landed } from "../log/draft.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { EventStore } from "../store.ts";
import { addCollectRoutes } from "./collect_routes.ts";
import { CollectStore } from "./collect_store.ts";
import { Collector } from "./collector.ts";

interface CollectParts {
  readonly store: EventStore;
  readonly tail: EventTail;
  readonly onLanded: (landed: Pick<Landed, "duplicate">) => void;
}

const withoutEffect =
  "`collect` has no effect: the bus is in memory and reaches no other host; set bus.url to nats://…";

/** Takes in other hosts' events as configured; `isCommitting` tells of commits that reach the tail by themselves. */
export function addCollect(
  host: Host<EventStoreConfig>,
  { store, tail, onLanded }: CollectParts,
): { isCommitting: () => boolean } {
  const { config, storage, bus, clock, log, node, metrics } = host;
  const collectStore = new CollectStore({ storage, store, nodeId: node.id });
  const collected = metrics.counter({
    name: "commandcenter_events_collected_total",
    help: "Events of other hosts that were taken in",
  });
  const refusals = metrics.counter({
    name: "commandcenter_events_refused_total",
    help: "Messages of other hosts that cannot be events of this log",
  });
  const patterns = bus.kind === "nats" ? [...new Set(config.collect)] : [];
  const collectors = patterns.map((pattern) =>
    new Collector({
      pattern,
      store: collectStore,
      bus,
      nodeId: node.id,
      clock,
      log,
      maxPayloadBytes: config.max_payload,
      onCommitted: ({ rows, landed, refused }) => {
        tail.committed(rows);
        landed.forEach(onLanded);
        collected.inc(rows.length);
        refusals.inc(refused.length);
      },
    })
  );
  metrics.gauge({
    name: "commandcenter_events_collect_lag",
    help: "Events of other hosts that wait in the stream of the bus to be taken in, by its last word",
    collect: () => collectors.reduce((sum, { behind = 0 }) => sum + behind, 0),
  });
  if (config.collect.length > 0 && bus.kind === "memory") {
    log.warn(withoutEffect);
    host.check("collect", () => ({ status: "degraded", message: withoutEffect }));
  }
  collectors.forEach((collector) =>
    host.run(`collect ${collector.pattern}`, (signal) => collector.run(signal))
  );
  if (collectors.length > 0) host.check("collect", () => health({ collectors, store: collectStore }));
  addCollectRoutes(host.http, { store: collectStore, collectors });
  return { isCommitting: () => collectors.some(({ isCommitting }) => isCommitting) };
}

async function health(
  { collectors, store }: { collectors: readonly Collector[]; store: CollectStore },
): Promise<Health> {
  const stuck = collectors.find(({ problem }) => problem !== undefined);
  if (stuck) return { status: "down", message: `"${stuck.pattern}" waits: ${stuck.problem}` };
  const refused = await store.refusedCount();
  if (refused === 0) return { status: "up" };
  return {
    status: "degraded",
    message: `${refused} messages of other hosts were refused; GET /api/events/collect/refused tells why`,
  };
}
