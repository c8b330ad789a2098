import { isDeepStrictEqual } from "node:util";
import { Problem } from "../../../core/errors.ts";
import { DamagedEvent, isIntact } from "./damage.ts";
import type { Draft, Landed } from "./draft.ts";
import { sealAfter } from "./event_hash.ts";
import type { EventContent, EventRow } from "../tables.ts";

const maxPartCharacters = 1024 * 1024;

/** What the batch has to know of the log, read under the lock on its head. */
export interface LogView {
  readonly seq: number;
  readonly storedMs: number;
  /** Hash of the last event. */
  readonly hash: string;
  /** Stored events whose id a draft brings along, by `identityOf`. */
  readonly known: ReadonlyMap<string, EventRow>;
  /** Last sequence of each subject that a draft expects something of; absent = 0. */
  readonly lastSeq: ReadonlyMap<string, number>;
}

/** The rows to insert, and for each draft where it landed or why it did not. */
export interface BatchPlan {
  readonly rows: EventRow[];
  readonly results: (Landed | Problem)[];
}

/** What tells an event from all others: ids are unique among the events of one node. */
export function identityOf({ id, node_id }: Pick<EventContent, "id" | "node_id">): string {
  return `${node_id} ${id}`;
}

/** Gives sequences to a batch in its order; one draft's conflict leaves the others alone. Touches no database. */
export function planBatch(drafts: readonly Draft[], view: LogView): BatchPlan {
  const rows: EventRow[] = [];
  const fresh = new Map<string, EventRow>();
  const lastSeq = new Map(view.lastSeq);
  let { hash } = view;
  const results = drafts.map((draft): Landed | Problem => {
    const { envelope } = draft;
    const identity = draft.idGiven ? identityOf({ id: envelope.id, node_id: envelope.origin.nodeId }) : "";
    const before = draft.idGiven ? view.known.get(identity) ?? fresh.get(identity) : undefined;
    if (before && !isIntact(before)) return new DamagedEvent(before.seq);
    if (before) return isSame(before, draft) ? landed(before, true) : idConflict(envelope.id);
    const last = lastSeq.get(envelope.subject);
    if (draft.expectedSeq !== undefined && draft.expectedSeq !== (last ?? 0)) {
      return sequenceConflict(draft, last ?? 0);
    }
    const content = contentOf(draft, { seq: view.seq + rows.length + 1, storedMs: view.storedMs });
    const seal = sealAfter(hash, content);
    const row: EventRow = { ...content, checksum: seal.checksum, hash: seal.hash };
    hash = seal.hash;
    rows.push(row);
    if (draft.idGiven) fresh.set(identity, row);
    if (last !== undefined || draft.expectedSeq !== undefined) lastSeq.set(row.subject, row.seq);
    return landed(row, false);
  });
  return { rows, results };
}

/** Cuts a batch where its payloads make up a mebibyte, so that no part holds the loop for long. */
export function* partsOf(drafts: readonly Draft[]): Generator<readonly Draft[]> {
  let start = 0;
  let characters = 0;
  for (const [index, { payload }] of drafts.entries()) {
    characters += payload.length;
    if (characters < maxPartCharacters && index < drafts.length - 1) continue;
    yield drafts.slice(start, index + 1);
    start = index + 1;
    characters = 0;
  }
}

/** Where all of them landed. Throws Problem 409 `batch_conflict`, naming every one that did not. */
export function allLanded(results: readonly (Landed | Problem)[]): readonly Landed[] {
  const conflicts = results.flatMap((result, index) =>
    result instanceof Problem ? [{ index, code: result.code, detail: result.message }] : []
  );
  const [first] = conflicts;
  if (first === undefined) return results as readonly Landed[];
  throw new Problem(409, "batch_conflict", {
    detail: `Event ${first.index}: ${first.detail}. Nothing of the batch was stored`,
    extras: { errors: conflicts },
  });
}

function contentOf(
  { envelope, payload, arrival = "published", attributes = null }: Draft,
  { seq, storedMs }: { seq: number; storedMs: number },
): EventContent {
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
    arrival,
    attributes,
    payload,
  };
}

function landed(row: EventRow, duplicate: boolean): Landed {
  const { seq, id, subject, correlation_id: correlationId, time } = row;
  return { seq, id, subject, correlationId, time, duplicate };
}

/** The same event said again: what its author chose is equal; what the agent added (time, trace) may differ. */
function isSame(row: EventRow, { envelope, payload, correlationGiven, attributes = null }: Draft): boolean {
  return row.subject === envelope.subject &&
    row.project === envelope.project &&
    row.causation_id === envelope.causationId &&
    row.attributes === attributes &&
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
