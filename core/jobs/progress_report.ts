import { shortened } from "./job_text.ts";

/** Time between two that are shown, and between two that are written down; in milliseconds. */
const showEveryMs = 100;
const saveEveryMs = 500;

/** How far a run is. */
export interface Progress {
  /** 0 to 100. */
  readonly progress: number;
  readonly message: string | null;
}

interface ProgressReportOptions {
  /** Called at once, and then at most ten times a second. */
  readonly show: (progress: Progress) => void;
  /** Called at most twice a second, one call at a time. */
  readonly save: (progress: Progress) => Promise<void>;
}

/** Lets work report its progress as often as it likes, and passes on only as much as anybody can follow. */
export class ProgressReport {
  readonly #options: ProgressReportOptions;
  #current: Progress = { progress: 0, message: null };
  #shown: Progress = this.#current;
  #saved: Progress = this.#current;
  /** What is over sooner than that need not be written down. */
  #savedAt = performance.now();
  #saving = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(options: ProgressReportOptions) {
    this.#options = options;
  }

  get current(): Progress {
    return this.#current;
  }

  /** Takes what the work says; out of 0 to 100 it is cut, and what is no number changes nothing but the message. */
  report(percent: number, message?: string): void {
    if (this.#isOver) return;
    const progress = Number.isFinite(percent) ? Math.min(100, Math.max(0, percent)) : this.#current.progress;
    this.#current = {
      progress,
      message: message === undefined ? this.#current.message : shortened(String(message)),
    };
    if (this.#timer === undefined) this.#pass();
  }

  /** Nothing is passed on any more. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #pass(): void {
    this.#timer = undefined;
    if (this.#isOver) return;
    if (this.#shown !== this.#current) {
      this.#shown = this.#current;
      this.#options.show(this.#current);
    }
    if (this.#saved !== this.#current) {
      if (!this.#saving && performance.now() - this.#savedAt >= saveEveryMs) void this.#save();
      this.#timer = setTimeout(() => this.#pass(), showEveryMs);
    }
  }

  async #save(): Promise<void> {
    this.#saving = true;
    this.#savedAt = performance.now();
    const saved = this.#current;
    try {
      await this.#options.save(saved);
      this.#saved = saved;
    } finally {
      this.#saving = false;
    }
  }
}
