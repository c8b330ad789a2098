import type { Context } from "hono";
import { Problem } from "../../../core/errors.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import { decodeJson } from "../../../core/http/json_text.ts";
import type { Draft } from "../log/draft.ts";
import { Turns } from "../../../core/turns.ts";

/** Events of one batch. */
export const maxBatchEvents = 1000;
/** Bytes of one batch. */
export const maxBatchBytes = 8 * 1024 * 1024;
/** Events read before others may have their turn. */
const eventsPerTurn = 8;
const maxDetailLength = 300;

/** Gives one value of a batch, or throws what is wrong with it. */
type Value = () => unknown;

/** The values of an array, or of a text with a value on each line. Throws Problem 400 or 422. */
export async function readBatch(c: Context<HttpEnv>, form: "array" | "lines"): Promise<Iterable<Value>> {
  return form === "array" ? arrayValues(await c.req.text()) : lineValues(await c.req.arrayBuffer());
}

/**
 * Drafts all events of a batch. Rejects with Problem 422 `invalid_batch` naming every event that is faulty, 413 where
 * they are too many.
 */
export async function draftBatch(
  values: Iterable<Value>,
  toDraft: (value: unknown) => Draft,
): Promise<Draft[]> {
  const drafts: Draft[] = [];
  const errors: { index: number; code: string; detail: string }[] = [];
  let index = 0;
  const turns = new Turns();
  for (const value of values) {
    if (index === maxBatchEvents) throw tooMany();
    try {
      drafts.push(toDraft(value()));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      errors.push({ index, code: error.code, detail: error.message.slice(0, maxDetailLength) });
    }
    if (++index % eventsPerTurn === 0) await turns.next();
  }
  const [first] = errors;
  if (first !== undefined) {
    throw new Problem(422, "invalid_batch", {
      detail:
        `Event ${first.index}: ${first.detail}. ${errors.length} of ${index} events are faulty, nothing was stored`,
      extras: { errors },
    });
  }
  if (index === 0) {
    throw new Problem(422, "invalid_batch", { detail: "The batch holds no event; send one at least" });
  }
  return drafts;
}

function arrayValues(text: string): Value[] {
  const array = parseJson(text);
  if (Array.isArray(array)) return array.map((value: unknown) => () => value);
  throw new Problem(422, "invalid_batch", { detail: "The body is no JSON array of events" });
}

const lineFeed = 10;

function* lineValues(buffer: ArrayBuffer): Generator<Value> {
  const bytes = new Uint8Array(buffer);
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(lineFeed, start);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(start, end);
    start = end + 1;
    if (line.some((byte) => byte > 32)) yield () => parseJson(decodeJson(line));
  }
}

/** The value of a JSON text. Throws Problem 400. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Problem(400, "malformed_body", { detail: "Malformed JSON in request body", cause });
  }
}

function tooMany(): Problem {
  return new Problem(413, "batch_too_large", {
    detail: `The batch holds more than ${maxBatchEvents} events; send them in several`,
  });
}
