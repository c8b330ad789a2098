import { type Agent, startAgent } from "../../tests/support/run_agent.ts";

/** Node id of the agents that the bench starts. */
export const benchNodeId = "bench";

/** Starts the real program with its defaults, but without the limit on requests per key: the load has one key. */
export function startBenchAgent(
  { storageUrl = "sqlite:", ...options }: { dataDir?: string; storageUrl?: string } = {},
): Promise<Agent> {
  return startAgent({
    ...options,
    config: {
      storage: { url: storageUrl },
      node: { id: benchNodeId },
      http: { rate_limits: { per_key: null } },
      plugins: { "event-store": {}, metrics: {} },
    },
  });
}
