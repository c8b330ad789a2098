import { expect } from "expect";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readStream, startAgainst, writeLog } from "../../../tests/support/damaged_log.ts";
import type { TestKernel } from "../../../tests/support/test_kernel.ts";

/** An agent on a log of 30 events, of which the 12th is damaged. */
async function withDamagedLog(run: (kernel: TestKernel) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  try {
    await writeLog(dataDir, 30);
    const database = new DatabaseSync(join(dataDir, "commandcenter.db"));
    database.exec("update event_store_event set payload = '{}' where seq = 12");
    database.close();
    await using kernel = await startAgainst(dataDir);
    await run(kernel);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function ask(kernel: TestKernel, path: string) {
  const answer = await kernel.fetch(path);
  const body = await answer.json();
  return { ...body, status: answer.status, seqs: body.items?.map(({ seq }: { seq: number }) => seq) };
}

Deno.test("a list stops before a damaged event, names it, and goes on behind it", async () => {
  await withDamagedLog(async (kernel) => {
    for (const [order, before, behind] of [["asc", [10, 11], 13], ["desc", [14, 13], 11]] as const) {
      let page = await ask(kernel, `/api/events?order=${order}&limit=1000`);
      expect(page.seqs.slice(-2)).toEqual(before);
      page = await ask(kernel, `/api/events?order=${order}&cursor=${page.next}`);
      expect(page).toMatchObject({ status: 500, code: "event_damaged", seq: 12 });
      page = await ask(kernel, `/api/events?order=${order}&cursor=${page.next}`);
      expect([page.seqs[0], page.next]).toEqual([behind, null]);
    }
    expect(await ask(kernel, "/api/events?after_seq=11")).toMatchObject({ status: 500, seq: 12 });
    expect((await ask(kernel, "/api/events?after_seq=12")).seqs).toHaveLength(18);
    expect(await ask(kernel, "/api/events/stats")).toMatchObject({ status: 200, events: 30 });
  });
});

Deno.test("streams end with the problem, behind the events before", async () => {
  await withDamagedLog(async (kernel) => {
    const { events, problems } = await readStream(kernel, 30);
    expect([events.length, problems]).toEqual([11, ["event_damaged"]]);
    const issued = await kernel.fetch("/api/events/tickets", { method: "POST" });
    const { ticket } = await issued.json();
    const socket = new WebSocket(
      `${kernel.url.replace("http", "ws")}/api/events/stream?after_seq=5&ticket=${ticket}`,
    );
    const messages: Record<string, unknown>[] = [];
    socket.onmessage = ({ data }) => void messages.push(JSON.parse(data));
    const closed = await new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    expect([closed.code, closed.reason]).toEqual([4500, "event_damaged"]);
    expect(messages.map(({ seq }) => seq)).toEqual([6, 7, 8, 9, 10, 11, undefined]);
    expect(messages.at(-1)).toMatchObject({ error: { code: "event_damaged", seq: 12 } });
  });
});
