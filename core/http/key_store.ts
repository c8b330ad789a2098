import type { Kysely, Transaction } from "kysely";
import type { Migrations } from "../plugin.ts";
import type { Storage } from "../storage/storage.ts";
import type { Scope } from "./principal.ts";

interface KeyRow {
  id: string;
  name: string;
  /** SHA-256 of the secret, as hex. */
  hash: string;
  /** JSON array. */
  scopes: string;
  /** JSON array of slugs, or null = all. */
  projects: string | null;
  created_at: string;
  /** Id of the key that made it; null for the admin key of a first start. */
  created_by: string | null;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}

interface Tables {
  core_keys: KeyRow;
}

/** A key as it is stored; times are RFC 3339. */
export interface StoredKey extends Omit<KeyRow, "scopes" | "projects"> {
  readonly scopes: readonly Scope[];
  readonly projects: readonly string[] | null;
}

/** A place in the list of keys: what comes after it is the next page. */
export interface KeyPosition {
  readonly created_at: string;
  readonly id: string;
}

/** Append-only. */
export const keyMigrations: Migrations = {
  "001_keys": {
    async up(db) {
      await db.schema.createTable("core_keys")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("hash", "text", (column) => column.notNull())
        .addColumn("scopes", "text", (column) => column.notNull())
        .addColumn("projects", "text")
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("created_by", "text")
        .addColumn("expires_at", "text")
        .addColumn("last_used_at", "text")
        .addColumn("revoked_at", "text")
        .execute();
      await db.schema.createIndex("core_keys_created").on("core_keys").columns(["created_at", "id"])
        .execute();
    },
  },
};

/** All SQL about keys. */
export class KeyStore {
  readonly #db: Kysely<Tables>;

  private constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  /** Brings the table up to date. */
  static async open(storage: Storage): Promise<KeyStore> {
    await storage.migrate("core", keyMigrations);
    return new KeyStore(storage.tables<Tables>());
  }

  async insert(key: StoredKey): Promise<void> {
    const { scopes, projects, ...rest } = key;
    await this.#db.insertInto("core_keys").values({
      ...rest,
      scopes: JSON.stringify(scopes),
      projects: projects && JSON.stringify(projects),
    }).execute();
  }

  async find(id: string): Promise<StoredKey | undefined> {
    const row = await this.#db.selectFrom("core_keys").selectAll().where("id", "=", id).executeTakeFirst();
    return row && fromRow(row);
  }

  /** Every key that is not revoked, expired ones included. */
  async unrevoked(): Promise<StoredKey[]> {
    const rows = await this.#db.selectFrom("core_keys").selectAll().where("revoked_at", "is", null).execute();
    return rows.map(fromRow);
  }

  /** One page, oldest first. */
  async list({ limit, after }: { limit: number; after?: KeyPosition | undefined }): Promise<StoredKey[]> {
    let query = this.#db.selectFrom("core_keys").selectAll().orderBy("created_at").orderBy("id").limit(limit);
    if (after) {
      query = query.where((where) =>
        where.or([
          where("created_at", ">", after.created_at),
          where.and([where("created_at", "=", after.created_at), where("id", ">", after.id)]),
        ])
      );
    }
    return (await query.execute()).map(fromRow);
  }

  async markUsed(id: string, time: string): Promise<void> {
    await this.#db.updateTable("core_keys").set({ last_used_at: time }).where("id", "=", id).execute();
  }

  /** Revokes a key, unless `keepsAdmin` is left without any; a second time it changes nothing. */
  async revoke(id: string, time: string): Promise<"revoked" | "unknown" | "last_admin"> {
    return await this.#db.transaction().execute(async (trx) => {
      // Locks every live key, so that two agents cannot each revoke the other's last admin key at the same moment.
      await trx.updateTable("core_keys").set((column) => ({ revoked_at: column.ref("revoked_at") }))
        .where("revoked_at", "is", null).execute();
      const row = await trx.selectFrom("core_keys").selectAll().where("id", "=", id).executeTakeFirst();
      if (!row) return "unknown";
      if (row.revoked_at !== null) return "revoked";
      if (isAdmin(fromRow(row), time) && !await otherAdmin(trx, { id, time })) return "last_admin";
      await trx.updateTable("core_keys").set({ revoked_at: time }).where("id", "=", id).execute();
      return "revoked";
    });
  }
}

async function otherAdmin(
  trx: Transaction<Tables>,
  { id, time }: { id: string; time: string },
): Promise<boolean> {
  const rows = await trx.selectFrom("core_keys").selectAll().where("revoked_at", "is", null).where(
    "id",
    "!=",
    id,
  )
    .execute();
  return rows.map(fromRow).some((key) => isAdmin(key, time));
}

function isAdmin(key: StoredKey, time: string): boolean {
  return key.scopes.includes("admin") && (key.expires_at === null || key.expires_at > time);
}

function fromRow(row: KeyRow): StoredKey {
  return {
    ...row,
    scopes: JSON.parse(row.scopes) as Scope[],
    projects: row.projects === null ? null : JSON.parse(row.projects) as string[],
  };
}
