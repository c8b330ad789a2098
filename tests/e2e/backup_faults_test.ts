import { expect } from "expect";
import { statSync } from "node:fs";
import { join } from "node:path";
import { allRows } from "../support/all_rows.ts";
import { cliAt, createPlace, nothingToSay, type Place, startAt } from "../support/backup_agents.ts";
import { eventDraft } from "../support/event_draft.ts";
import { execute } from "../support/postgres.ts";
import { programArgs, repository } from "../support/run_cli.ts";
import { seedLog } from "../support/seed_log.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { spawnChild } from "../support/spawn_child.ts";
import { testWith, testWithPostgres } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

/** Enough that a backup and a restore take a while. */
const events = 20_000;

async function createFilled(kind: Place["kind"]): Promise<Place> {
  const place = await createPlace(kind);
  await Deno.mkdir(place.dataDir, { recursive: true });
  const drafts = Array.from(
    { length: events },
    (_, n) => eventDraft("hub.hub-a.demo.seeded", { id: `seeded-${n}`, data: { n } }),
  );
  await seedLog(
    { storageUrl: kind === "sqlite" ? "sqlite:" : place.database, dataDir: place.dataDir },
    drafts,
  );
  await using agent = await startAt(place); // makes the keys and the other tables
  await agent.stop();
  return place;
}

/** Runs the command line and kills it (-9) once `when` holds; false where it was done before. */
async function killed(
  place: Place,
  args: readonly string[],
  when: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const child = spawnChild(Deno.execPath(), {
    args: programArgs(["--config", place.configFile, ...args]),
    cwd: repository,
  });
  await waitFor(async () => !child.running || await when(), {
    what: "the place to kill",
    timeoutMs: 60_000,
    pollMs: 1,
  });
  const isRunning = child.running;
  await child.stop({ signal: "SIGKILL", timeoutMs: 10_000 });
  return isRunning;
}

function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

for (const kind of ["sqlite", "postgres"] as const) {
  const register = kind === "postgres" ? testWithPostgres : Deno.test;

  register(`kill -9 leaves no backup, and a restore that no agent takes for one (${kind})`, async () => {
    await using from = await createFilled(kind);
    await using to = await createPlace(kind);
    const file = join(from.folder, "backup.tar");
    const partOf = () => names(from.folder).find((name) => name.endsWith(".part"));
    const isWriting = () => {
      const part = partOf();
      return part !== undefined && Deno.statSync(join(from.folder, part)).size > 100_000;
    };
    expect(await killed(from, ["backup", file], isWriting)).toBe(true);
    expect(names(from.folder)).not.toContain("backup.tar");
    expect(await cliAt(from, "restore", "--check", join(from.folder, partOf()!))).toMatchObject({ code: 1 });
    expect(await cliAt(from, "backup", file)).toMatchObject({ code: 0 });

    const marker = join(to.dataDir, "restoring");
    const half = `${to.database}.restoring`;
    const isRestoring = () =>
      names(to.dataDir).includes("restoring") &&
      (kind === "postgres" || (statSync(half, { throwIfNoEntry: false })?.size ?? 0) > 1_000_000);
    expect(await killed(to, ["restore", file], isRestoring)).toBe(true);
    expect(names(to.dataDir)).not.toContain("commandcenter.db");
    const started = await cliAt(to, "start");
    expect(started).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("a restore into it was interrupted"),
    });

    expect(await cliAt(to, "restore", file)).toMatchObject({ code: 0, stderr: nothingToSay });
    expect(names(to.dataDir)).not.toContain("restoring");
    expect(await allRows(to.database)).toEqual(await allRows(from.database));
    // Killed at the very last step, when all but the marks is in place.
    await Deno.mkdir(marker);
    if (kind === "postgres") await execute(to.database, "create table commandcenter_restore (id integer)");
    expect(await cliAt(to, "restore", file)).toMatchObject({ code: 0, stderr: nothingToSay });
    expect(await allRows(to.database)).toEqual(await allRows(from.database));
  });
}

Deno.test("what is there already is left alone, and a running agent keeps its folder", async () => {
  await using from = await createPlace("sqlite");
  await using other = await createPlace("sqlite");
  const file = join(from.folder, "backup.tar");
  await using agent = await startAt(from);
  expect(await cliAt(from, "backup", file)).toMatchObject({ code: 0 });
  expect(await cliAt(from, "backup", file)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("there already"),
  });
  expect(await cliAt(from, "restore", file)).toMatchObject({
    code: 78,
    stderr: expect.stringContaining(`${agent.pid}`),
  });
  await agent.stop();
  const before = await allRows(from.database);
  expect(await cliAt(from, "restore", file)).toMatchObject({
    code: 78,
    stderr: expect.stringContaining("already"),
  });
  expect(await allRows(from.database)).toEqual(before);

  await Deno.writeTextFile(
    other.configFile,
    JSON.stringify({ ...other.config, node: { data_dir: other.dataDir, id: "hub-other" } }),
  );
  expect(await cliAt(other, "restore", file)).toMatchObject({
    code: 78,
    stderr: expect.stringContaining("node.id: hub-"),
  });
  expect(names(other.dataDir)).toEqual([]);
});

testWithPostgres("neither a folder nor a database in which something lies is restored into", async () => {
  await using from = await createFilled("postgres");
  await using to = await createPlace("postgres");
  const file = join(from.folder, "backup.tar");
  expect(await cliAt(from, "backup", file)).toMatchObject({ code: 0 });
  await Deno.mkdir(to.dataDir);
  await Deno.writeTextFile(join(to.dataDir, "notes.txt"), "mine");
  expect(await cliAt(to, "restore", file)).toMatchObject({
    code: 78,
    stderr: expect.stringContaining("it holds notes.txt already"),
  });
  await Deno.remove(join(to.dataDir, "notes.txt"));
  const before = await allRows(from.database);
  await Deno.writeTextFile(
    to.configFile,
    JSON.stringify({ ...to.config, storage: { url: from.database } }),
  );
  expect(await cliAt(to, "restore", file)).toMatchObject({
    code: 78,
    stderr: expect.stringContaining("create an empty database"),
  });
  expect(await allRows(from.database)).toEqual(before);
});

Deno.test("without keys there is no secret in the file, and the restored agent makes new ones", async () => {
  await using from = await createPlace("sqlite");
  await using to = await createPlace("sqlite");
  const file = join(from.folder, "backup.tar");
  {
    await using agent = await startAt(from);
    expect(await cliAt(from, "backup", "--no-keys", file)).toMatchObject({ code: 0 });
    expect(new TextDecoder().decode(await Deno.readFile(file))).not.toContain(agent.adminKey);
    await agent.stop();
  }
  expect(await cliAt(to, "restore", file)).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("new admin key"),
  });
  await using agent = await startAt(to);
  expect(agent.adminKey).not.toBe((await Deno.readTextFile(join(from.dataDir, "admin.key"))).trim());
  const answer = await agent.fetch("/api/keys");
  expect((await answer.json()).items).toHaveLength(2);
});

Deno.test("a damaged log is not backed up in silence", async () => {
  await using from = await createFilled("sqlite");
  await using to = await createPlace("sqlite");
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(from.database);
  database.exec(`update event_store_event set payload = '{"n":"forged"}' where seq = 777`);
  database.close();
  const file = join(from.folder, "backup.tar");
  const refused = await cliAt(from, "backup", file);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Event 777 is not what was stored"),
  });
  expect(names(from.folder).filter((name) => name.startsWith("backup"))).toEqual([]);
  expect(await cliAt(from, "backup", "--damaged", file)).toMatchObject({ code: 0 });
  expect(await cliAt(to, "restore", file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Event 777"),
  });
  expect(await cliAt(to, "restore", "--damaged", file)).toMatchObject({ code: 0 });
  expect(await allRows(to.database)).toEqual(await allRows(from.database));
});

testWith({
  needs: ["mount"],
  name: "a full disk ends a backup and a restore with a reason, and leaves nothing of them",
  run: async () => {
    await using from = await createFilled("sqlite");
    await using disk = await mountSmallDisk({ sizeBytes: 1024 * 1024 });
    const full = await cliAt(from, "backup", join(disk.path, "backup.tar"));
    expect(full).toMatchObject({ code: 1, stderr: expect.stringMatching(/space|ENOSPC/i) });
    expect(names(disk.path)).toEqual([]);

    const file = join(from.folder, "backup.tar");
    expect(await cliAt(from, "backup", file)).toMatchObject({ code: 0 });
    await using to = await createPlace("sqlite");
    const dataDir = join(disk.path, "data");
    await Deno.writeTextFile(to.configFile, JSON.stringify({ ...to.config, node: { data_dir: dataDir } }));
    expect(await cliAt(to, "restore", file)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/full|space/i),
    });
    expect(names(dataDir).filter((name) => !name.startsWith("lock"))).toEqual([]);
  },
});
