import { type SelectQueryBuilder, sql } from "kysely";
import { isSubject } from "../../core/bus/subject.ts";
import type { Storage } from "../../core/storage/storage.ts";
import type { EventStoreTables } from "./tables.ts";

/** What a reader asks for; everything given has to hold. */
export interface EventFilter {
  /** Subject or pattern with `*` and `>`. */
  readonly subject?: string | undefined;
  /** Type or pattern. */
  readonly type?: string | undefined;
  /** RFC 3339 UTC, inclusive. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly project?: string | undefined;
  /** Id of the node that published it. */
  readonly origin?: string | undefined;
  /** Slugs that the reader's key is limited to. */
  readonly projects?: readonly string[] | undefined;
}

type EventQuery<Row> = SelectQueryBuilder<EventStoreTables, "event_store_event", Row>;

/** Adds the filter to a query; patterns mean exactly what the bus's own matcher says. */
export function whereEvent<Row>(
  query: EventQuery<Row>,
  filter: EventFilter,
  kind: Storage["kind"],
): EventQuery<Row> {
  let filtered = wherePattern(query, { column: "subject", pattern: filter.subject, kind });
  filtered = wherePattern(filtered, { column: "type", pattern: filter.type, kind });
  if (filter.since !== undefined) filtered = filtered.where("time", ">=", filter.since);
  if (filter.until !== undefined) filtered = filtered.where("time", "<=", filter.until);
  if (filter.correlationId !== undefined) {
    filtered = filtered.where("correlation_id", "=", filter.correlationId);
  }
  if (filter.project !== undefined) filtered = filtered.where("project", "=", filter.project);
  if (filter.origin !== undefined) filtered = filtered.where("node_id", "=", filter.origin);
  if (filter.projects !== undefined) filtered = filtered.where("project", "in", [...filter.projects, ""]);
  return filtered;
}

function wherePattern<Row>(
  query: EventQuery<Row>,
  { column, pattern, kind }: {
    column: "subject" | "type";
    pattern: string | undefined;
    kind: Storage["kind"];
  },
): EventQuery<Row> {
  if (pattern === undefined || pattern === ">") return query;
  if (isSubject(pattern)) return query.where(column, "=", pattern);
  if (kind === "postgres") return query.where(column, "~", toRegularExpression(pattern));
  // GLOB's star crosses dots, so it only thins out what the matcher then decides. The plus keeps SQLite from walking
  // the index on subjects, whose order would have to be sorted by sequence again.
  const coarse = pattern.replaceAll(">", "*");
  return query.where(
    sql<boolean>`(+${sql.ref(column)} glob ${coarse} and subject_matches(${pattern}, ${sql.ref(column)}))`,
  );
}

/** Tokens are letters, digits, `_` and `-`, so only the dots need escaping. */
function toRegularExpression(pattern: string): string {
  const tokens = pattern.split(".").map((token) => token === "*" ? "[^.]+" : token === ">" ? ".+" : token);
  return `^${tokens.join("\\.")}$`;
}
