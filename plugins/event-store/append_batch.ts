import { isDeepStrictEqual } from "node:util";
import { Problem } from "../../core/errors.ts";
import type { Draft, Landed } from "./draft.ts";
import type { EventRow } from "./tables.ts";

/** What the batch has to know of the log, read under the lock on its head. */
export interface LogView {
  readonly seq: number;
  readonly storedMs: number;
  /** Stored events whose id a draft brings along. */
  readonly known: ReadonlyMap<string, EventRow>;
  /** Last sequence of each subject that a draft expects something of; absent = 0. */
  readonly lastSeq: ReadonlyMap<string, number>;
}

/** The rows to insert, and for each draft where it landed or why it did not. */
export interface BatchPlan {
  readonly rows: EventRow[];
  readonly results: (Landed | Problem)[];
}

/** Gives sequences to a batch in its order; one draft's conflict leaves the others alone. Touches no database. */
export function planBatch(drafts: readonly Draft[], view: LogView): BatchPlan {
  const rows: EventRow[] = [];
  const fresh = new Map<string, EventRow>();
  const lastSeq = new Map(view.lastSeq);
  const results = drafts.map((draft): Landed | Problem => {
    const { envelope } = draft;
    const before = draft.idGiven ? view.known.get(envelope.id) ?? fresh.get(envelope.id) : undefined;
    if (before) return isSame(before, draft) ? landed(before, true) : idConflict(envelope.id);
    const last = lastSeq.get(envelope.subject);
    if (draft.expectedSeq !== undefined && draft.expectedSeq !== (last ?? 0)) {
      return sequenceConflict(draft, last ?? 0);
    }
    const row = toRow(draft, { seq: view.seq + rows.length + 1, storedMs: view.storedMs });
    rows.push(row);
    if (draft.idGiven) fresh.set(row.id, row);
    if (last !== undefined || draft.expectedSeq !== undefined) lastSeq.set(row.subject, row.seq);
    return landed(row, false);
  });
  return { rows, results };
}

function toRow({ envelope, payload }: Draft, { seq, storedMs }: { seq: number; storedMs: number }): EventRow {
  return {
    seq,
    id: envelope.id,
    subject: envelope.subject,
    type: envelope.type,
    node_id: envelope.origin.nodeId,
    service: envelope.origin.service,
    user_name: envelope.origin.user,
    project: envelope.project,
    correlation_id: envelope.correlationId,
    causation_id: envelope.causationId,
    traceparent: envelope.traceparent,
    time: envelope.time,
    stored_ms: storedMs,
    payload,
  };
}

function landed(row: EventRow, duplicate: boolean): Landed {
  const { seq, id, subject, correlation_id: correlationId, time } = row;
  return { seq, id, subject, correlationId, time, duplicate };
}

/** The same event said again: what its author chose is equal; what the agent added (time, trace) may differ. */
function isSame(row: EventRow, { envelope, payload, correlationGiven }: Draft): boolean {
  return row.subject === envelope.subject &&
    row.project === envelope.project &&
    row.causation_id === envelope.causationId &&
    row.node_id === envelope.origin.nodeId &&
    (!correlationGiven || row.correlation_id === envelope.correlationId) &&
    (row.payload === payload || isDeepStrictEqual(JSON.parse(row.payload), JSON.parse(payload)));
}

function idConflict(id: string): Problem {
  return new Problem(409, "id_conflict", {
    detail: `Another event with the id "${id}" is stored already, with other content; use a new id`,
  });
}

function sequenceConflict({ envelope, expectedSeq }: Draft, last: number): Problem {
  return new Problem(409, "sequence_conflict", {
    detail:
      `"${envelope.subject}" is at sequence ${last}, not at ${expectedSeq}; read it again and decide anew`,
    extras: { expected_seq: expectedSeq, actual_seq: last },
  });
}
