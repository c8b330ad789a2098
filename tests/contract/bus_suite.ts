import type { BusCases, OpenedBus } from "./bus_case.ts";
import { closingCases, limitCases } from "./bus_edge_cases.ts";
import { durableCases, streamCases } from "./bus_event_cases.ts";
import { liveCases, requestCases } from "./bus_live_cases.ts";

export interface BusSuite {
  /** Begins the name of every test. */
  readonly name: string;
  /** Opens a bus with nothing in it; messages of 1 MiB, a duplicate window of at least a minute. */
  readonly open: () => Promise<OpenedBus>;
  readonly test: (name: string, run: () => Promise<void>) => void;
}

/** Registers what every bus promises, whatever carries it. */
export function testBus({ name, open, test }: BusSuite): void {
  const groups: BusCases[] = [liveCases, requestCases, streamCases, durableCases, limitCases, closingCases];
  for (const [what, run] of groups.flatMap((cases) => Object.entries(cases))) {
    test(`${name}: ${what}`, async () => {
      await using opened = await open();
      await run(opened);
    });
  }
}
