import { eventJson } from "../read/event_json.ts";
import type { EventRow } from "../tables.ts";

/** Characters of one message that holds several events; a single larger event is one message all the same. */
const maxBatchCharacters = 32 * 1024;

const frames = new WeakMap<EventRow, string>();

/** The text of one event. A live event is the same object for every connection: its text is made once. */
export function eventFrame(row: EventRow): string {
  let frame = frames.get(row);
  if (frame === undefined) frames.set(row, frame = eventJson(row));
  return frame;
}

/** Events as frames of server-sent events: `id:` is the sequence, `data:` the event. */
export function sseFrames(rows: readonly EventRow[]): string {
  let text = "";
  for (const row of rows) text += `id: ${row.seq}\ndata: ${eventJson(row)}\n\n`;
  return text;
}

let last: { readonly rows: readonly EventRow[]; readonly texts: readonly string[] } = { rows: [], texts: [] };

/** The texts of JSON arrays that hold these events, in order. Connections that follow the same events share them. */
export function batchFrames(rows: readonly EventRow[]): readonly string[] {
  const isSame = rows.length === last.rows.length && rows.every((row, index) => row === last.rows[index]);
  if (!isSame) last = { rows, texts: joined(rows.map(eventFrame)) };
  return last.texts;
}

function joined(texts: readonly string[]): string[] {
  const arrays: string[] = [];
  let start = 0;
  let characters = 0;
  texts.forEach((text, index) => {
    if (index > start && characters + text.length > maxBatchCharacters) {
      arrays.push(`[${texts.slice(start, index).join(",")}]`);
      start = index;
      characters = 0;
    }
    characters += text.length;
  });
  if (start < texts.length) arrays.push(`[${texts.slice(start).join(",")}]`);
  return arrays;
}
