import { compilePattern } from "../../../core/bus/subject.ts";
import type { EventRow } from "../tables.ts";

/** Events from `seq` on that match are still needed by a consumer. */
export interface Floor {
  readonly subject: string;
  readonly seq: number;
}

/** What nobody may remove, whatever the limits say. */
export class Protection {
  /** Differs where anything about it differs. */
  readonly fingerprint: string;
  readonly #relayed: ReadonlyMap<string, number>;
  readonly #floors: readonly { readonly seq: number; readonly matches: (subject: string) => boolean }[];

  /** `relayed`: by node, up to where its events have reached the bus. */
  constructor({ relayed, floors }: { relayed: ReadonlyMap<string, number>; floors: readonly Floor[] }) {
    this.#relayed = relayed;
    this.#floors = floors.map(({ subject, seq }) => ({ seq, matches: compilePattern(subject) }));
    this.fingerprint = JSON.stringify([...relayed, floors.map(({ subject, seq }) => [subject, seq])]);
  }

  /** Whether an event has to stay. */
  holds(
    event: Pick<EventRow, "seq" | "subject" | "node_id" | "arrival">,
    { keepUnacked }: { keepUnacked: boolean },
  ): boolean {
    if (event.arrival === "published" && event.seq > (this.#relayed.get(event.node_id) ?? 0)) return true;
    return keepUnacked && this.#floors.some(({ seq, matches }) => event.seq >= seq && matches(event.subject));
  }
}
