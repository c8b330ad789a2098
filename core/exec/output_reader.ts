import type { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import type { ExecLine } from "./exec.ts";
import { KeptOutput } from "./kept_output.ts";
import { LineSplitter, type SplitLine } from "./line_splitter.ts";

interface ReaderOptions {
  readonly name: ExecLine["stream"];
  readonly maxBytes: number;
  readonly onLine: ((line: ExecLine) => unknown) | undefined;
  /** Called when more came than is kept. */
  readonly onOverflow: () => void;
  /** Called with what `onLine` threw; no further line is handed out. */
  readonly onError: (error: unknown) => void;
}

/** Reads one stream of a child: keeps its ends, hands out its lines, and no faster than they are taken. */
export class OutputReader {
  readonly kept: KeptOutput;
  /** Resolves when the stream has ended, or was left, and the last line has been taken. Never rejects. */
  readonly finished: Promise<void>;
  readonly #stream: Readable;
  readonly #options: ReaderOptions;
  readonly #splitter = new LineSplitter();
  #taking: Promise<void> = Promise.resolve();
  #isTaking = false;
  #isQuiet = true;
  #timer: ReturnType<typeof setInterval> | undefined;
  #failed = false;

  constructor(stream: Readable, options: ReaderOptions) {
    this.#stream = stream;
    this.#options = options;
    this.kept = new KeptOutput(options.maxBytes);
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    this.finished = new Promise<void>((resolve) => stream.once("close", resolve))
      .then(() => this.#taking)
      .then(() => this.#handOut(this.#splitter.end()))
      .finally(() => clearInterval(this.#timer));
    stream.on("error", () => stream.destroy()); // a broken pipe ends like any other
  }

  /** Lets go of the stream once nothing has come for `quietMs`: whoever still holds it is none of our processes. */
  leaveWhenQuiet(quietMs: number): void {
    this.#isQuiet = false;
    this.#timer ??= setInterval(() => {
      if (this.#isQuiet && !this.#isTaking) this.#stream.destroy();
      this.#isQuiet = true;
    }, quietMs);
  }

  #take(chunk: Buffer): void {
    this.#isQuiet = false;
    this.kept.add(chunk);
    if (this.kept.omittedBytes > 0) this.#options.onOverflow();
    if (this.#options.onLine === undefined || this.#failed) return;
    this.#stream.pause();
    this.#isTaking = true;
    this.#taking = this.#handOut(this.#splitter.split(chunk)).then(() => {
      this.#isTaking = false;
      this.#isQuiet = false;
      this.#stream.resume();
    });
  }

  async #handOut(lines: Iterable<SplitLine>): Promise<void> {
    const { name, onLine, onError } = this.#options;
    if (onLine === undefined) return;
    try {
      for (const line of lines) {
        if (this.#failed) return;
        await onLine({ stream: name, ...line });
      }
    } catch (error) {
      this.#failed = true;
      onError(error);
    }
  }
}
