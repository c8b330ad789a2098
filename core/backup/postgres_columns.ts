import { type Kysely, sql } from "kysely";

/** One column of a table of PostgreSQL. */
export interface PostgresColumn {
  readonly name: string;
  /** As it stands in a cast: `bigint`, `jsonb` … */
  readonly type: string;
  /** Place in the primary key, from 1; 0 outside of it. */
  readonly key_place: number;
}

/** The columns of a table of the current schema, in their order. */
export async function tableColumns(db: Kysely<unknown>, table: string): Promise<readonly PostgresColumn[]> {
  const { rows } = await sql<PostgresColumn>`
    select attname as name, format_type(atttypid, atttypmod) as type,
      coalesce(array_position(indkey::int2[], attnum), -1) + 1 as key_place
    from pg_attribute
    join pg_class on pg_class.oid = attrelid
    left join pg_index on indrelid = attrelid and indisprimary
    where relnamespace = current_schema()::regnamespace and relname = ${table}
      and relkind = 'r' and attnum > 0 and not attisdropped
    order by attnum`.execute(db);
  return rows;
}
