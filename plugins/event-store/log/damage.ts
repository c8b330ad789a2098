import { isSubject } from "../../../core/bus/subject.ts";
import { Problem } from "../../../core/errors.ts";
import { checksumOf } from "./event_hash.ts";
import type { EventFilter } from "../search/event_filter.ts";
import type { EventRow } from "../tables.ts";

/** A stored event is no longer what was written, and so must not be passed on. */
export class DamagedEvent extends Problem {
  readonly seq: number;

  /** `next`: the cursor of the list that was being read, behind the event. */
  constructor(seq: number, next?: string) {
    super(500, "event_damaged", {
      detail:
        `The event with the sequence ${seq} is damaged on disk and is not shown; after_seq=${seq} goes on behind it. ` +
        "`commandcenter events verify` tells how much is damaged; a backup has the rest",
      extras: next === undefined ? { seq } : { seq, next },
    });
    this.seq = seq;
  }
}

/** Whether the row fits its checksum. */
export function isIntact(row: EventRow): boolean {
  return checksumOf(row) === row.checksum;
}

/** Whether the row is what an index was asked for: a damaged one leads to others, also to those of other projects. */
export function isAskedFor(
  row: EventRow,
  { subject, correlationId, project, projects }: EventFilter,
): boolean {
  return (subject === undefined || subject === row.subject || !isSubject(subject)) &&
    (correlationId === undefined || correlationId === row.correlation_id) &&
    (project === undefined || project === row.project) &&
    (projects === undefined || (row.project !== null && projects.includes(row.project)));
}

/** Throws DamagedEvent where the row does not fit its checksum. */
export function intact(row: EventRow): void {
  if (!isIntact(row)) throw new DamagedEvent(row.seq);
}
