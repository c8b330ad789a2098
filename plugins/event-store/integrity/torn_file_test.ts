import { expect } from "expect";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { copyLog, readList, startAgainst, verify, writeLog } from "../../../tests/support/damaged_log.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { withStorage } from "../../../tests/support/every_storage.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import type { TestKernel } from "../../../tests/support/test_kernel.ts";
import { EventStore } from "../store.ts";

const events = 600;

async function withCopy(from: string, run: (dataDir: string, file: string) => Promise<void>): Promise<void> {
  const dataDir = await copyLog(from);
  try {
    await run(dataDir, join(dataDir, "commandcenter.db"));
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function checkOf(kernel: TestKernel, name: string): Promise<{ status: string; message?: string }> {
  const { checks } = await (await kernel.fetch("/health")).json();
  return checks.find((check: { name: string }) => check.name === name);
}

async function publish(kernel: TestKernel): Promise<{ status: number; code?: string; detail?: string }> {
  const answer = await kernel.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject: "demo.created", payload: {} }),
  });
  return { ...await answer.json(), status: answer.status };
}

Deno.test("a file that was cut off is refused, or says what it lacks", async () => {
  const original = await Deno.makeTempDir();
  try {
    await writeLog(original, events);
    const { size } = await Deno.stat(join(original, "commandcenter.db"));
    for (const left of [0.99, 0.9, 0.6, 0.3, 0.02, 0.001]) {
      await withCopy(original, async (dataDir, file) => {
        await Deno.truncate(file, Math.floor(size * left));
        let kernel: TestKernel;
        try {
          kernel = await startAgainst(dataDir);
        } catch (error) {
          expect(String(error)).toMatch(/ConfigurationError: Cannot use the database "[^"]+": /);
          expect(String(error)).toContain("put a backup in their place");
          return;
        }
        await using _kernel = kernel;
        const { events: served } = await readList(kernel);
        expect(served.length).toBeLessThan(events);
        expect(await verify(kernel)).toMatchObject({ ok: false });
        expect(await checkOf(kernel, "log")).toMatchObject({ status: "down" });
        expect(await publish(kernel)).toMatchObject({ code: expect.stringMatching(/_damaged$/) });
      });
    }
  } finally {
    await Deno.remove(original, { recursive: true });
  }
});

Deno.test("an end that does not fit stops publishing, not reading, and says what to do", async () => {
  const original = await Deno.makeTempDir();
  try {
    await writeLog(original, events);
    const faults = [
      "update event_store_event set payload = '{}' where seq = 600",
      "update event_store_event set hash = 'beef' where seq = 600",
      "delete from event_store_event where seq = 600",
      "update event_store_head set seq = 599, events = 599",
      "update event_store_head set seq = 700, events = 700",
      "update event_store_head set hash = 'beef'",
    ];
    for (const fault of faults) {
      await withCopy(original, async (dataDir, file) => {
        const database = new DatabaseSync(file);
        database.exec(fault);
        database.close();
        await using kernel = await startAgainst(dataDir);
        expect(await publish(kernel)).toMatchObject({
          status: 503,
          code: "log_damaged",
          detail: expect.stringMatching(/Nothing was stored; `commandcenter events verify` .* a backup/),
        });
        expect(await checkOf(kernel, "log")).toMatchObject({ status: "down" });
        expect((await readList(kernel)).events.length).toBeGreaterThan(590);
        expect(await verify(kernel)).toMatchObject({ ok: false });
      });
    }
  } finally {
    await Deno.remove(original, { recursive: true });
  }
});

Deno.test("without the row that says where the log ends the agent does not start", async () => {
  const original = await Deno.makeTempDir();
  try {
    await writeLog(original, 10);
    const database = new DatabaseSync(join(original, "commandcenter.db"));
    database.exec("delete from event_store_head");
    database.close();
    await expect(startAgainst(original)).rejects.toThrow(
      "Cannot start the event log: the row that says where it ends is missing or damaged; restore a backup",
    );
  } finally {
    await Deno.remove(original, { recursive: true });
  }
});

Deno.test("damage before the end is told at start, and the log goes on", async () => {
  const original = await Deno.makeTempDir();
  try {
    await writeLog(original, events);
    const database = new DatabaseSync(join(original, "commandcenter.db"));
    database.exec("update event_store_event set payload = '{}' where seq = 500");
    database.close();
    await using kernel = await startAgainst(original);
    expect(await checkOf(kernel, "log")).toMatchObject({
      status: "degraded",
      message: expect.stringContaining("Event 500 is not what was stored"),
    });
    expect(await publish(kernel)).toMatchObject({ status: 201, seq: 601 });
    expect(await verify(kernel)).toMatchObject({ ok: false, finding_count: 1, head: { seq: 601 } });
  } finally {
    await Deno.remove(original, { recursive: true });
  }
});

/** A data folder as after a kill: the last events are in the write-ahead log only. */
async function killedLog(): Promise<{ dataDir: string; acknowledged: { seq: number; hash: string } }> {
  const dataDir = await Deno.makeTempDir();
  await writeLog(dataDir, 100);
  let killed = "";
  let acknowledged = { seq: 0, hash: "" };
  await withStorage("sqlite:", {
    dataDir,
    run: async (storage) => {
      const store = new EventStore(storage);
      for (let index = 0; index < 50; index++) await store.append([eventDraft("hub.a.demo.late")], 1);
      acknowledged = await store.head();
      killed = await copyLog(dataDir);
    },
  });
  await Deno.remove(dataDir, { recursive: true });
  return { dataDir: killed, acknowledged };
}

Deno.test("a flipped byte in the write-ahead log takes the end with it, which only a noted head can tell", async () => {
  const { dataDir: original, acknowledged } = await killedLog();
  try {
    expect(acknowledged.seq).toBe(150);
    const noted = `?expect=${acknowledged.seq}:${acknowledged.hash}`;
    await withCopy(original, async (dataDir) => {
      await using kernel = await startAgainst(dataDir);
      expect((await readList(kernel)).events).toHaveLength(150);
      expect(await verify(kernel, noted)).toMatchObject({ ok: true });
    });
    await withCopy(original, async (dataDir, file) => {
      const log = await Deno.readFile(`${file}-wal`);
      const place = Math.floor(log.length / 2);
      log[place]! ^= 0x55;
      await Deno.writeFile(`${file}-wal`, log);
      await using kernel = await startAgainst(dataDir);
      const { events: served } = await readList(kernel);
      expect(served.length).toBeGreaterThan(100);
      expect(served.length).toBeLessThan(150);
      expect(served.map(({ seq }) => seq)).toEqual(served.map((_, index) => index + 1));
      expect(await verify(kernel)).toMatchObject({ ok: true }); // a whole log, only shorter
      expect(await verify(kernel, noted)).toMatchObject({
        ok: false,
        findings: [{ kind: "not_as_expected", seq: 150 }],
      });
      const follower = await kernel.fetch("/api/events/sse?after_seq=150");
      expect([follower.status, (await follower.json()).code]).toEqual([409, "beyond_end"]);
    });
  } finally {
    await Deno.remove(original, { recursive: true });
  }
});

Deno.test("the agent's own note of the head tells at start that the end is lost, until somebody has seen it", async () => {
  const dataDir = await Deno.makeTempDir();
  const older = await Deno.makeTempDir();
  const file = join(dataDir, "commandcenter.db");
  const note = join(dataDir, "event-store", "head");
  try {
    await writeLog(dataDir, 100);
    await Deno.copyFile(file, join(older, "commandcenter.db"));
    {
      await using kernel = await startAgainst(dataDir);
      expect(await publish(kernel)).toMatchObject({ status: 201, seq: 101 });
      await waitFor(async () => (await Deno.readTextFile(note)).startsWith("101:"), {
        what: "the head to be noted",
      });
    }
    await Deno.copyFile(join(older, "commandcenter.db"), file);
    // The second time other events stand in its place.
    for (const status of ["degraded", "degraded", "up"]) {
      if (status === "up") await Deno.remove(note);
      await using kernel = await startAgainst(dataDir);
      const check = await checkOf(kernel, "log");
      expect(check).toMatchObject({ status });
      if (status === "degraded") {
        expect(check.message).toMatch(/when its head was noted it held event 101|Event 101 is another than/);
      }
      expect(await publish(kernel)).toMatchObject({ status: 201 });
    }
    expect(await Deno.readTextFile(note)).toMatch(/^103:/); // also the last event before the stop
  } finally {
    await Deno.remove(dataDir, { recursive: true });
    await Deno.remove(older, { recursive: true });
  }
});
