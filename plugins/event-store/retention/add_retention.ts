import type { KeyObject } from "node:crypto";
import type { Host } from "../../../core/plugin.ts";
import type { EventStoreConfig } from "../config.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { LogCondition } from "../integrity/log_condition.ts";
import { loadAnchorKey } from "./anchor_key.ts";
import { Retention } from "./retention.ts";
import { RetentionStore } from "./retention_store.ts";

/** One rule, as statistics show it. */
export interface RuleState {
  readonly subject: string;
  /** As of `last_run`. */
  readonly events: number;
  readonly bytes: number;
  readonly oldest: string | null;
  readonly removed_events: number;
  readonly removed_bytes: number;
  readonly last_run: string | null;
}

/** Removes, in the background, what the rules no longer keep; returns what statistics show of it. */
export function addRetention(
  host: Host<EventStoreConfig>,
  { tail, condition }: { tail: EventTail; condition: LogCondition },
): { states: () => Promise<readonly RuleState[]> } {
  const { config: { retention: rules }, storage, clock, log, node } = host;
  const store = new RetentionStore(storage);
  const removed = host.metrics.counter({
    name: "commandcenter_events_removed_total",
    help: "Events removed by this process, by the subject of the retention rule",
    labels: ["rule"],
  });
  let key: KeyObject | undefined;
  const retention = new Retention({
    rules,
    store,
    storage,
    tail,
    mayRemove: () => !condition.isBroken,
    clock,
    log,
    nodeId: node.id,
    anchorKey: async () => key ??= await loadAnchorKey(node.dataDir),
    onRemoved: ({ subject }, { events }) => removed.labels({ rule: subject }).inc(events),
  });
  if (rules.length > 0) host.run("retention", (signal) => retention.run(signal));
  return {
    states: async () => {
      const saved = await store.saved();
      return rules.map(({ subject }) => {
        const { run_at: last_run = null, ...rest } = saved.get(subject) ??
          { events: 0, bytes: 0, oldest: null, removed_events: 0, removed_bytes: 0 };
        return { subject, ...rest, last_run };
      });
    },
  };
}
