import { expect } from "expect";
import { type Kysely, sql } from "kysely";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { registry } from "../../plugins/registry.ts";
import { allRows } from "../../tests/support/all_rows.ts";
import { createPlace, type Place } from "../../tests/support/backup_agents.ts";
import { withStorage } from "../../tests/support/every_storage.ts";
import { testWithPostgres } from "../../tests/support/test_with.ts";
import { loadConfiguration } from "../config/load_config.ts";
import type { Migrations } from "../storage/storage.ts";
import { BackupFile } from "./backup_file.ts";
import { createBackup } from "./create_backup.ts";
import type { DataOwner } from "./data_owners.ts";
import { restoreBackup } from "./restore_backup.ts";

const first: Migrations = {
  "001_first": {
    up: async (db, kind) => {
      await db.schema.createTable("demo_thing")
        .addColumn("name", "text", (column) => column.primaryKey())
        .addColumn("bytes", kind === "sqlite" ? "blob" : "bytea")
        .addColumn("json", kind === "sqlite" ? "text" : "jsonb")
        .addColumn("real", "double precision")
        .addColumn("whole", "bigint")
        .execute();
      await db.insertInto("demo_thing").values({ name: "made by the migration" }).execute();
    },
  },
};
const second: Migrations = {
  "002_second": {
    up: async (db) => {
      await db.schema.alterTable("demo_thing").addColumn("later", "text").execute();
    },
  },
};

const owner: DataOwner = { name: "demo", migrations: first };

interface Thing {
  name: string;
  bytes: Uint8Array | null;
  json: unknown;
  real: number | null;
  whole: number | null;
}

const things: readonly Thing[] = [
  { name: "plain", bytes: null, json: null, real: null, whole: null },
  {
    name: "\\x41 is no bytes",
    bytes: Buffer.from([0, 255, 92, 120]),
    json: '{"a":[1,"\\"€"]}',
    real: 0.1,
    whole: 1,
  },
  { name: "", bytes: Buffer.alloc(0), json: '"text"', real: 5e-324, whole: Number.MAX_SAFE_INTEGER },
  { name: "'; drop table x; --", bytes: null, json: "[]", real: -1.7976931348623157e308, whole: -7 },
];

const signal = new AbortController().signal;
const storageUrl = (place: Place) => place.kind === "sqlite" ? "sqlite:" : place.database;

async function optionsAt(place: Place, owners: readonly DataOwner[]) {
  const configuration = await loadConfiguration(place.configFile, { registry, env: {} });
  return { configuration, owners, signal, warn: () => {}, onProgress: () => {} };
}

/** A database with nothing but these tables, and the node that it belongs to. */
async function fill(place: Place): Promise<void> {
  await Deno.mkdir(place.dataDir, { recursive: true });
  await Deno.writeTextFile(join(place.dataDir, "node.id"), "hub-1a2b3c4d5e6f\n");
  await withStorage(storageUrl(place), {
    dataDir: place.dataDir,
    run: async (storage) => {
      await storage.migrate("demo", first);
      const db = storage.tables<{ demo_thing: Thing }>();
      await db.deleteFrom("demo_thing").execute();
      await db.insertInto("demo_thing").values([...things]).execute();
      await sql`create table stranger (id integer)`.execute(db);
    },
  });
}

async function backUp(place: Place, owners: readonly DataOwner[] = [owner]): Promise<string> {
  const path = join(place.folder, "backup.tar");
  await createBackup(path, { ...await optionsAt(place, owners), withoutKeys: false, damaged: false });
  return path;
}

async function restore(
  path: string,
  { place, owners }: { place: Place; owners: readonly DataOwner[] },
): Promise<void> {
  await using file = await BackupFile.open(path);
  await restoreBackup(file, await optionsAt(place, owners));
}

async function readThings(db: Kysely<unknown>): Promise<unknown[]> {
  const { rows } = await sql<Thing>`select name, bytes, json, real, whole from demo_thing order by name`
    .execute(db);
  return rows.map((row) => ({
    ...row,
    bytes: row.bytes && Buffer.from(row.bytes).toString("hex"),
    json: typeof row.json === "string" && /^[[{"]/.test(row.json) ? JSON.parse(row.json) : row.json,
  }));
}

const expected = things.map((thing) => ({
  ...thing,
  bytes: thing.bytes && Buffer.from(thing.bytes).toString("hex"),
  json: thing.json === null ? null : JSON.parse(String(thing.json)),
})).toSorted((a, b) => a.name < b.name ? -1 : 1);

for (const one of ["sqlite", "postgres"] as const) {
  for (const other of ["sqlite", "postgres"] as const) {
    const register = one === "postgres" || other === "postgres" ? testWithPostgres : Deno.test;
    register(`bytes, JSON and numbers go from ${one} to ${other} as they are`, async () => {
      await using from = await createPlace(one);
      await using to = await createPlace(other);
      await fill(from);
      const path = await backUp(from);
      await using file = await BackupFile.open(path);
      expect(file.manifest.left_out).toEqual(one === "sqlite" ? ["stranger"] : []);
      await restore(path, { place: to, owners: [owner] });
      await withStorage(storageUrl(to), {
        dataDir: to.dataDir,
        run: async (storage) => {
          const found = await readThings(storage.tables());
          expect(found).toHaveLength(things.length);
          for (const thing of expected) expect(found).toContainEqual(thing);
        },
      });
    });
  }
}

Deno.test("an older backup is brought up to date by the next start; a newer one is refused, and nothing is touched", async () => {
  await using from = await createPlace("sqlite");
  await using to = await createPlace("sqlite");
  await fill(from);
  const newer: DataOwner = { name: "demo", migrations: { ...first, ...second } };
  const old = await backUp(from, [newer]);
  await restore(old, { place: to, owners: [newer] });
  await withStorage("sqlite:", {
    dataDir: to.dataDir,
    run: async (storage) => {
      await storage.migrate("demo", newer.migrations);
      expect(await readThings(storage.tables())).toHaveLength(things.length);
    },
  });
  await Deno.remove(old);
  await Deno.remove(join(from.dataDir, "commandcenter.db"));
  await Deno.copyFile(join(to.dataDir, "commandcenter.db"), join(from.dataDir, "commandcenter.db"));
  const path = await backUp(from, [newer]);
  await using empty = await createPlace("sqlite");
  await expect(restore(path, { place: empty, owners: [owner] })).rejects.toThrow(
    /its tables of "demo" are of the version "002_second".*use version \d/,
  );
  await expect(restore(path, { place: empty, owners: [] })).rejects.toThrow(/it holds tables of "demo"/);
  expect([...Deno.readDirSync(empty.folder)].map(({ name }) => name)).toEqual(["projects.yaml"]);
  expect(Object.keys(await allRows(from.database))).toContain("demo_thing");
});

Deno.test("what no agent has ever used is no backup", async () => {
  await using place = await createPlace("sqlite");
  await expect(backUp(place)).rejects.toThrow("there is no node.id");
  await Deno.mkdir(place.dataDir);
  await Deno.writeTextFile(join(place.dataDir, "node.id"), "hub-1a2b3c4d5e6f\n");
  await expect(backUp(place)).rejects.toThrow("there is no such database");
  expect([...Deno.readDirSync(place.folder)].map(({ name }) => name).toSorted()).toEqual([
    "data",
    "projects.yaml",
  ]);
});
