import type { Envelope } from "../../../core/events.ts";
import type { Arrival } from "../tables.ts";

/** An event on its way into the log. */
export interface Draft {
  readonly envelope: Envelope;
  /** The payload as it is stored and sent. */
  readonly payload: string;
  /** Whether the id came from outside, so that the same event may have been stored before. */
  readonly idGiven: boolean;
  /** Whether a correlation id was given, and so belongs to what makes two events the same. */
  readonly correlationGiven: boolean;
  readonly expectedSeq?: number | undefined;
  /** Default: published. */
  readonly arrival?: Arrival;
  /** JSON text; see EventContent. */
  readonly attributes?: string | null;
}

/** Where an event landed. */
export interface Landed {
  readonly seq: number;
  readonly id: string;
  readonly subject: string;
  readonly correlationId: string;
  readonly time: string;
  readonly duplicate: boolean;
}
