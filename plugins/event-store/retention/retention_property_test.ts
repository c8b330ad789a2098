import { expect } from "expect";
import fc from "fast-check";
import { matches } from "../../../core/bus/subject.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { expectWholeLog } from "../../../tests/support/expect_whole_log.ts";
import { type RetentionAgent, RetentionLog, TestClock } from "../../../tests/support/retention_log.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import type { EventStoreTables } from "../tables.ts";
import { type RetentionRule, retentionSettings } from "./retention_settings.ts";

/** What the test believes to be stored. */
interface Believed {
  readonly seq: number;
  readonly subject: string;
  readonly storedMs: number;
  readonly bytes: number;
  readonly isPublished: boolean;
}

const subjects = ["hub.a.one.made", "hub.a.two.made", "hub.b.one.made", "hub.b.three.made"];
const patterns = ["hub.a.one.made", "hub.*.one.>", "hub.a.>", "two.*", "hub.>"];

const rules = fc.uniqueArray(
  fc.record({
    subject: fc.constantFrom(...patterns),
    max_age: fc.option(fc.constantFrom("1s", "3s", "10s"), { nil: undefined }),
    max_count: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
    max_bytes: fc.option(fc.integer({ min: 0, max: 300 }).map((bytes) => `${bytes}b`), { nil: undefined }),
    keep_unacked: fc.boolean(),
  }).filter((rule) =>
    rule.max_age !== undefined || rule.max_count !== undefined || rule.max_bytes !== undefined
  ),
  { selector: (rule) => rule.subject, minLength: 1, maxLength: 3 },
);

const append = fc.record({
  do: fc.constant("append" as const),
  events: fc.array(
    fc.record({
      subject: fc.constantFrom(...subjects),
      text: fc.string({ maxLength: 60, unit: "grapheme" }),
      isPublished: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});
const commands = fc.array(
  fc.oneof(
    { arbitrary: append, weight: 5 },
    {
      arbitrary: fc.record({
        do: fc.constant("wait" as const),
        ms: fc.constantFrom(1, 500, 2000, 5000, 130_000),
      }),
      weight: 2,
    },
    { arbitrary: fc.record({ do: fc.constant("round" as const), agent: fc.nat(1) }), weight: 5 },
    { arbitrary: fc.record({ do: fc.constant("restart" as const), agent: fc.nat(1) }), weight: 1 },
    {
      arbitrary: fc.record({
        do: fc.constant("relay" as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      weight: 2,
    },
    {
      arbitrary: fc.record({
        do: fc.constant("need" as const),
        subject: fc.constantFrom(...subjects, "hub.*.*.made"),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      weight: 1,
    },
  ),
  { minLength: 4, maxLength: 25 },
);
type Command = typeof commands extends fc.Arbitrary<(infer One)[]> ? One : never;

/** Events of which a rule says that they go: by the definition of the rules, with no regard to how they are found. */
function due(
  stored: readonly Believed[],
  { rules, nowMs }: { rules: readonly RetentionRule[]; nowMs: number },
) {
  return rules.flatMap((rule, index) => {
    const own = stored.filter(({ subject }) =>
      rules.findIndex((each) => matches(each.subject, subject)) === index
    );
    return own.filter((event) => {
      const younger = own.filter(({ seq }) => seq >= event.seq);
      const bytes = younger.reduce((sum, each) => sum + each.bytes, 0);
      return event.storedMs < nowMs - (rule.max_age ?? Infinity) ||
        younger.length > (rule.max_count ?? Infinity) ||
        bytes > (rule.max_bytes ?? Infinity);
    }).map((event) => ({ event, rule }));
  });
}

/** Two agents on one log, and what ought to be in it. */
class Trial {
  readonly #log: RetentionLog;
  readonly #rules: readonly object[];
  readonly #clock = new TestClock();
  readonly #agents: RetentionAgent[] = [];
  #stored: Believed[] = [];
  #relayed = 0;
  #need: { subject: string; seq: number } | undefined;

  constructor(log: RetentionLog, rules: readonly object[]) {
    this.#log = log;
    this.#rules = rules;
  }

  async start(agent: number): Promise<void> {
    this.#agents[agent] = await this.#log.agent({
      rules: this.#rules,
      clock: this.#clock,
      nodeId: `n${agent}`,
      maxBatch: 7,
    });
  }

  async run(command: Command): Promise<void> {
    if (command.do === "append") await this.#append(command.events);
    if (command.do === "wait") this.#clock.ms += command.ms;
    if (command.do === "restart") await this.start(command.agent);
    if (command.do === "relay") await this.#relay(command.share);
    if (command.do === "need") {
      this.#need = {
        subject: command.subject,
        seq: 1 + Math.floor(command.share * (await this.#log.store.headSeq())),
      };
      await this.#log.need("one", this.#need);
    }
    if (command.do === "round") await this.#round(command.agent);
  }

  async #append(events: readonly { subject: string; text: string; isPublished: boolean }[]): Promise<void> {
    const drafts = events.map(({ subject, text, isPublished }) => ({
      ...eventDraft(subject, { data: { text } }),
      arrival: isPublished ? "published" as const : "collected" as const,
    }));
    const rows = await this.#log.append(drafts, { nowMs: this.#clock.ms, agents: this.#agents });
    for (const { seq, subject, stored_ms, payload, arrival } of rows) {
      const bytes = new TextEncoder().encode(payload).length;
      this.#stored.push({ seq, subject, storedMs: stored_ms, bytes, isPublished: arrival === "published" });
    }
  }

  async #relay(share: number): Promise<void> {
    this.#relayed = Math.max(this.#relayed, Math.floor(share * (await this.#log.store.headSeq())));
    await this.#log.store.saveRelayPosition("a", { seq: this.#relayed, stream: "s" });
  }

  async #round(agent: number): Promise<void> {
    await this.#agents[agent]!.round();
    const db = this.#log.storage.tables<EventStoreTables>();
    const { holder } = await db.selectFrom("event_store_retention").select("holder")
      .executeTakeFirstOrThrow();
    if (holder === `n${agent}`) {
      const gone = new Set(
        due(this.#stored, { rules: retentionSettings.parse(this.#rules), nowMs: this.#clock.ms })
          .filter(({ event, rule }) => !this.#isHeld(event, rule)).map(({ event }) => event.seq),
      );
      this.#stored = this.#stored.filter(({ seq }) => !gone.has(seq));
    }
    await this.check();
  }

  #isHeld({ seq, subject, isPublished }: Believed, { keep_unacked }: RetentionRule): boolean {
    if (isPublished && seq > this.#relayed) return true;
    return keep_unacked && this.#need !== undefined && seq >= this.#need.seq &&
      matches(this.#need.subject, subject);
  }

  async check(): Promise<void> {
    const rows = await this.#log.rows();
    expect(rows.map(({ seq }) => seq)).toEqual(this.#stored.map(({ seq }) => seq));
    expectWholeLog({ rows, gaps: await this.#log.gaps(), head: await this.#log.store.head() });
  }
}

async function empty(storage: Storage): Promise<void> {
  const db = storage.tables<EventStoreTables>();
  for (
    const table of [
      "event_store_event",
      "event_store_gap",
      "event_store_relay",
      "event_store_retention_rule",
    ] as const
  ) {
    await db.deleteFrom(table).execute();
  }
  await storage.tables<{ event_store_consumer: { name: string } }>().deleteFrom("event_store_consumer")
    .execute();
  await db.updateTable("event_store_head").set({ seq: 0, stored_ms: 0, hash: "0".repeat(64), events: 0 })
    .execute();
  await db.updateTable("event_store_retention").set({ holder: "", held_until_ms: 0, generation: 0 })
    .execute();
}

testOnEveryStorage(
  "whatever happens, exactly what the rules say is left, in a log that is whole",
  async (storage) => {
    const log = await RetentionLog.open(storage);
    await fc.assert(
      fc.asyncProperty(rules, commands, async (chosen, steps) => {
        await empty(storage);
        const trial = new Trial(log, chosen);
        await trial.start(0);
        await trial.start(1);
        for (const step of steps) await trial.run(step);
        await trial.check();
      }),
      { numRuns: storage.kind === "sqlite" ? 150 : 25 },
    );
  },
);
