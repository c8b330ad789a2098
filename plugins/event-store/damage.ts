import { Problem } from "../../core/errors.ts";
import { checksumOf } from "./event_hash.ts";
import type { EventRow } from "./tables.ts";

/** A stored event is no longer what was written, and so must not be passed on. */
export class DamagedEvent extends Problem {
  readonly seq: number;

  constructor(seq: number) {
    super(500, "event_damaged", {
      detail:
        `The event with the sequence ${seq} is damaged on disk and is not shown; after_seq=${seq} goes on behind it. ` +
        "`commandcenter events verify` tells how much is damaged; a backup has the rest",
      extras: { seq },
    });
    this.seq = seq;
  }
}

/** Throws DamagedEvent where the row does not fit its checksum. */
export function intact(row: EventRow): void {
  if (checksumOf(row) !== row.checksum) throw new DamagedEvent(row.seq);
}
