import { expect } from "expect";
import fc from "fast-check";
import type { Storage } from "../../../core/storage/storage.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { type Got, HandClock, lettersOf, TestConsumers } from "../../../tests/support/test_consumers.ts";

const tokens = (got: readonly Got[]) => got.map(({ token }) => token);

/** What workers may do, at random. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("take" as const),
      worker: fc.nat(3),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("ack" as const), worker: fc.nat(3), count: fc.nat(4) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("nak" as const), worker: fc.nat(3), count: fc.nat(400) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("extend" as const), worker: fc.nat(3), count: fc.nat(3) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pass" as const), worker: fc.nat(3), count: fc.nat(700) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("publish" as const), worker: fc.nat(3), count: fc.nat(5) }),
  },
);

const ackWaitMs = 1000;

/** Checks, beside what the workers do, that nobody gets what another one has, and that nothing is lost. */
async function play(
  storage: Storage,
  name: string,
  steps: readonly { do: string; worker: number; count: number }[],
) {
  const clock = new HandClock();
  const agents = [new TestConsumers(storage, clock), new TestConsumers(storage, clock)];
  const [agent] = agents as [TestConsumers];
  const subject = `hub.a.${name}.done`;
  const row = await agent.put(name, { subject, max_deliveries: 4, ack_wait: `${ackWaitMs}ms` });
  const leases = new Map<number, number>();
  const hands: Got[][] = [[], [], [], []];
  const done = new Set<number>();
  let published = 0;
  const take = async (worker: number, limit: number) => {
    const got = await agents[worker % 2]!.take(name, limit);
    for (const { seq, attempt } of got) {
      expect([seq, done.has(seq), (leases.get(seq) ?? 0) > clock.now()]).toEqual([seq, false, false]);
      expect(attempt).toBeLessThanOrEqual(4);
      leases.set(seq, clock.now() + ackWaitMs);
    }
    hands[worker]!.push(...got);
  };
  for (const { do: what, worker, count } of steps) {
    const hand = hands[worker]!;
    if (what === "take") {
      await Promise.all([take(worker, count), take((worker + 1) % 4, count)]);
    } else if (what === "publish") {
      await agent.publish(count, subject);
      published += count;
    } else if (what === "pass") clock.pass(count);
    else if (hand.length > 0) {
      const some = hand.splice(0, what === "nak" ? 1 : count + 1);
      const valid = new Set(tokens(some));
      if (what === "ack") {
        const { stale } = await agent.desk.acknowledge(row, [...valid]);
        for (const { seq, token } of some) if (!stale.includes(token)) done.add(seq);
      } else if (what === "nak") {
        const { stale } = await agent.desk.giveBack(row, [...valid], { delayMs: count });
        for (const { seq, token } of some) if (!stale.includes(token)) leases.set(seq, clock.now() + count);
      } else {
        const { stale } = await agent.desk.extend(row, [...valid], ackWaitMs);
        for (const { seq, token } of some) {
          if (!stale.includes(token)) leases.set(seq, clock.now() + ackWaitMs);
        }
        hand.push(...some);
      }
    }
  }
  for (let got: Got[] = [];; clock.pass(ackWaitMs)) {
    got = await agent.take(name, 1000);
    await agent.desk.acknowledge(row, tokens(got));
    for (const { seq } of got) done.add(seq);
    if (got.length === 0 && (await agent.book.stateOf(row)).load.pending === 0) break;
  }
  for (const { seq } of await lettersOf(agent, name)) done.add(seq);
  expect(done.size).toBe(published);
  await agent.book.remove(row);
}

testOnEveryStorage(
  "whatever four workers of two agents do, no event is in two hands, and none is lost",
  async (storage) => {
    await TestConsumers.open(storage);
    let run = 0;
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      (steps) => play(storage, `c${run++}`, steps),
    );
    await fc.assert(property, { numRuns: 30 });
  },
);
