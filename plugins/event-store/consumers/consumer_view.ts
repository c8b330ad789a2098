import type { Arrival } from "../tables.ts";
import type { EventFilter } from "../search/event_filter.ts";
import type { ConsumerRow } from "./consumer_tables.ts";

/** What a consumer leaves out of its subject. */
export interface Narrowing {
  /** Type or pattern. */
  readonly type?: string | undefined;
  /** Slug. */
  readonly project?: string | undefined;
  /** Id of the node that published. */
  readonly origin?: string | undefined;
  readonly arrival?: Arrival | undefined;
}

/** The events that a consumer gets. */
export function filterOf({ subject, narrowing, projects }: ConsumerRow): EventFilter {
  return { subject, ...narrowingOf(narrowing), projects: projectsOf(projects) ?? undefined };
}

/** JSON text of a narrowing, null where it leaves nothing out. */
export function narrowingText(narrowing: Narrowing): string | null {
  const text = JSON.stringify(narrowing);
  return text === "{}" ? null : text;
}

/** The narrowing of a JSON text. */
export function narrowingOf(text: string | null): Narrowing {
  return text === null ? {} : JSON.parse(text);
}

/** The slugs of a JSON text; null = all. */
export function projectsOf(text: string | null): readonly string[] | null {
  return text === null ? null : JSON.parse(text);
}

/** Whether both are one and the same consumer that gets the same events: what was read for one holds for the other. */
export function sameView(one: ConsumerRow, other: ConsumerRow): boolean {
  return one.created_at === other.created_at && one.subject === other.subject &&
    one.narrowing === other.narrowing && one.projects === other.projects;
}
