import type { Buffer } from "node:buffer";
import { StringDecoder } from "node:string_decoder";

/** Longest line, in characters; the rest of a longer one is left out. */
export const maxLineCharacters = 65_536;

/** One line, without its end. */
export interface SplitLine {
  readonly text: string;
  readonly cut: boolean;
}

/** Makes lines of chunks; `\n` and `\r\n` end one, characters may be torn between chunks, and memory is bounded. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  #cut = false;

  /** The lines that `chunk` completes. */
  *split(chunk: Buffer): Generator<SplitLine> {
    const text = this.#decoder.write(chunk);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#append(text.slice(start, end));
      start = end + 1;
      yield this.#take();
    }
    this.#append(text.slice(start));
  }

  /** What is left behind the last line feed, if anything. */
  *end(): Generator<SplitLine> {
    this.#append(this.#decoder.end());
    if (this.#rest !== "") yield this.#take();
  }

  #append(text: string): void {
    const room = maxLineCharacters - this.#rest.length;
    this.#cut ||= text.length > room;
    if (room > 0) this.#rest += text.slice(0, room);
  }

  #take(): SplitLine {
    const line = { text: this.#cut ? this.#rest : this.#rest.replace(/\r$/, ""), cut: this.#cut };
    this.#rest = "";
    this.#cut = false;
    return line;
  }
}
