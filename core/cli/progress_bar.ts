import type { Terminal } from "./terminal.ts";

/** Time between two states, in milliseconds. */
const redrawMs = 100;
const barWidth = 30;

/** What has been done so far. */
export interface Progress {
  /** How many things are done; without it the rest tells enough. */
  readonly events?: number;
  /** 0 to 1; undefined where nobody knows how much there is. */
  readonly part: number | undefined;
  /** What is being done. */
  readonly note?: string;
}

/** Shows how far long work has come, where somebody watches; does nothing elsewhere. */
export class ProgressBar implements Disposable {
  readonly #terminal: Terminal;
  readonly #title: string;
  readonly #counted: string;
  readonly #startedAt = performance.now();
  #shownAt = -Infinity;

  /** `counted` says what `events` are, where they are something else. */
  constructor(terminal: Terminal, title: string, { counted = "events" } = {}) {
    this.#terminal = terminal;
    this.#title = title;
    this.#counted = counted;
  }

  /** Whether anybody sees it. */
  get visible(): boolean {
    return this.#terminal.progress !== undefined;
  }

  /** To be called as often as there is something new. */
  update({ events, part, note }: Progress): void {
    const { progress } = this.#terminal;
    const now = performance.now();
    if (!progress || now - this.#shownAt < redrawMs) return;
    this.#shownAt = now;
    const parts = [this.#title, part === undefined ? "" : bar(part), this.#count(events, now), note ?? ""];
    const line = parts.filter((each) => each !== "").join("  ");
    progress.show(line.slice(0, progress.width - 1)); // the last column would break the line
  }

  #count(events: number | undefined, now: number): string {
    if (events === undefined) return "";
    const perSecond = Math.round(events / Math.max((now - this.#startedAt) / 1000, 0.001));
    return `${events.toLocaleString("en")} ${this.#counted}  ${perSecond.toLocaleString("en")}/s`;
  }

  /** Takes the line away, for what is said next. */
  [Symbol.dispose](): void {
    if (this.#shownAt > -Infinity) this.#terminal.progress?.show("");
  }
}

function bar(part: number): string {
  const done = Math.min(Math.max(part, 0), 1);
  const filled = Math.round(done * barWidth);
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}] ${Math.floor(done * 100)}%`;
}
