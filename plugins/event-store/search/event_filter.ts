import { type SelectQueryBuilder, sql } from "kysely";
import { isSubject } from "../../../core/bus/subject.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { Arrival, EventStoreTables } from "../tables.ts";

/** What a reader asks for; everything given has to hold. */
export interface EventFilter {
  /** Subject or pattern with `*` and `>`. */
  readonly subject?: string | undefined;
  /** Type or pattern. */
  readonly type?: string | undefined;
  /**
   * RFC 3339 UTC with milliseconds, both inclusive. An event counts as of its `time`, but of no later one than that at
   * which it was stored: nobody can store what has yet to happen, so a later `time` is that of a wrong clock.
   */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly id?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly project?: string | undefined;
  /** Id of the node that published it. */
  readonly origin?: string | undefined;
  /** How it came into this log. */
  readonly arrival?: Arrival | undefined;
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
  let filtered = query;
  const { id, correlationId, project, origin, arrival, projects, since, until } = filter;
  if (id !== undefined) filtered = filtered.where("id", "=", id);
  if (correlationId !== undefined) filtered = filtered.where("correlation_id", "=", correlationId);
  if (project !== undefined) filtered = filtered.where("project", "=", project);
  if (origin !== undefined) filtered = filtered.where("node_id", "=", origin);
  if (arrival !== undefined) filtered = filtered.where("arrival", "=", arrival);
  if (projects !== undefined) filtered = whereProject(filtered, { projects, kind });
  if (since !== undefined) {
    filtered = filtered.where("time", ">=", since).where("stored_ms", ">=", Date.parse(since));
  }
  if (until !== undefined) {
    filtered = filtered.where((either) =>
      either.or([either("time", "<=", until), either("stored_ms", "<=", Date.parse(until))])
    );
  }
  // Last, since SQLite looks in this order, and a pattern costs most.
  filtered = wherePattern(filtered, { column: "subject", pattern: filter.subject, kind });
  filtered = wherePattern(filtered, { column: "type", pattern: filter.type, kind });
  return filtered;
}

/** Adds that the event has one of these sequences: one statement, however many they are. */
export function whereSequence<Row>(
  query: EventQuery<Row>,
  sequences: readonly number[],
  kind: Storage["kind"],
): EventQuery<Row> {
  return query.where(
    "seq",
    "in",
    kind === "sqlite"
      ? sql<number>`(select value from json_each(${JSON.stringify(sequences)}))`
      : sql<number>`(select unnest(${sequences}::bigint[]))`,
  );
}

function whereProject<Row>(
  query: EventQuery<Row>,
  { projects, kind }: { projects: readonly string[]; kind: Storage["kind"] },
): EventQuery<Row> {
  if (projects.length === 0) return query.where(sql<boolean>`1 = 0`);
  // The plus as below.
  return query.where(kind === "sqlite" ? sql<string>`+project` : "project", "in", [...projects]);
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
  // GLOB's star crosses dots, so it decides where `>` is the only wildcard, and else thins out what the matcher decides.
  // The plus keeps SQLite from walking the index on subjects, whose order would have to be sorted by sequence again.
  const coarse = pattern.replaceAll(">", "*");
  const globbed = query.where(sql<boolean>`+${sql.ref(column)} glob ${coarse}`);
  if (!pattern.includes("*")) return globbed;
  return globbed.where(sql<boolean>`subject_matches(${pattern}, ${sql.ref(column)})`);
}

/** Tokens are letters, digits, `_` and `-`, so only the dots need escaping. */
function toRegularExpression(pattern: string): string {
  const tokens = pattern.split(".").map((token) => token === "*" ? "[^.]+" : token === ">" ? ".+" : token);
  return `^${tokens.join("\\.")}$`;
}
