import { expect } from "expect";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { startSeededKernel, testOnEveryLog } from "../../../tests/support/seeded_kernel.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import metrics from "../../metrics/plugin.ts";
import eventStore from "../plugin.ts";

testOnEveryLog(
  "soon after the start old events are gone, and statistics and metrics tell of it",
  async (place) => {
    const drafts = Array.from({ length: 20 }, (_, index) => ({
      ...eventDraft(index % 2 ? "hub.b.demo.seen" : "hub.b.other.seen", { data: { n: index } }),
      arrival: "imported" as const,
    }));
    const settings = { "event-store": { retention: [{ subject: "demo.>", max_count: 3 }] } };
    await using kernel = await startSeededKernel(place, { drafts, settings, plugins: [eventStore, metrics] });
    const stats = await waitFor(async () => {
      const answer = await (await kernel.fetch("/api/events/stats")).json();
      return answer.retention[0].removed_events > 0 && answer.retention[0].events === 3 && answer;
    }, { what: "old events to be removed" });
    expect(stats).toMatchObject({ events: 13, first_seq: 1, last_seq: 20 });
    expect(stats.retention).toEqual([{
      subject: "hub.*.demo.>",
      events: 3,
      bytes: 3 * '{"n":15}'.length,
      oldest: "2026-01-01T00:00:00.000Z",
      removed_events: 7,
      removed_bytes: 7 * 7 + 2, // two of them have numbers of two digits
      last_run: expect.any(String),
    }]);
    const exposed = await (await kernel.fetch("/metrics")).text();
    expect(exposed).toContain('commandcenter_events_removed_total{rule="hub.*.demo.>"} 7\n');
    expect(exposed).toContain("commandcenter_events_stored 13\n");
    const gone = await kernel.fetch("/api/events?subject=demo.>");
    const { items } = await gone.json();
    expect(items.map((item: { seq: number }) => item.seq)).toEqual([16, 18, 20]);
    expect((await Deno.stat(`${kernel.dataDir}/event-store/anchor.key`)).mode! & 0o777).toBe(0o600);
  },
);
