/** One call that is over. */
export interface FetchObservation {
  /** `2xx` and so on, the code of a FetchError, or `aborted`. */
  readonly outcome: string;
  /** Until the answer began, with all waits. */
  readonly seconds: number;
}

/** What outgoing requests report to. Every call is cheap and none throws. */
export interface FetchObserver {
  observeFetch(observation: FetchObservation): void;
  /** Bytes of a body as they came over the wire. */
  bodyReceived(sizeBytes: number): void;
}
