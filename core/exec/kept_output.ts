import { Buffer } from "node:buffer";

/** Keeps the beginning and the end of a stream of bytes, in bounded memory. */
export class KeptOutput {
  readonly #headBytes: number;
  readonly #tailBytes: number;
  readonly #head: Buffer[] = [];
  #headSize = 0;
  #tail: Buffer[] = [];
  #tailSize = 0;
  #total = 0;

  constructor(maxBytes: number) {
    this.#headBytes = Math.ceil(maxBytes / 2);
    this.#tailBytes = maxBytes - this.#headBytes;
  }

  add(chunk: Buffer): void {
    this.#total += chunk.length;
    const room = this.#headBytes - this.#headSize;
    if (room > 0) {
      const part = Buffer.from(chunk.subarray(0, room)); // a view would keep the memory of the whole read
      this.#head.push(part);
      this.#headSize += part.length;
    }
    if (chunk.length <= room) return;
    this.#tail.push(Buffer.from(chunk.subarray(Math.max(room, 0))));
    this.#tailSize += chunk.length - Math.max(room, 0);
    // Joined only now and then, so that many small chunks do not copy the tail each time.
    if (this.#tailSize > 2 * this.#tailBytes + 65_536 || this.#tail.length > 1024) this.#trim();
  }

  /** Bytes that came in all. */
  get totalBytes(): number {
    return this.#total;
  }

  /** Bytes that were not kept. */
  get omittedBytes(): number {
    return Math.max(0, this.#total - this.#headBytes - this.#tailBytes);
  }

  /** What was kept, as UTF-8; where something is missing, a line says how much. */
  text(): string {
    this.#trim();
    const { omittedBytes } = this;
    if (omittedBytes === 0) return Buffer.concat([...this.#head, ...this.#tail]).toString("utf8");
    const head = Buffer.concat(this.#head).toString("utf8");
    return `${head}\n[… ${omittedBytes} bytes left out …]\n${Buffer.concat(this.#tail).toString("utf8")}`;
  }

  #trim(): void {
    const joined = Buffer.concat(this.#tail);
    const kept = joined.subarray(Math.max(0, joined.length - this.#tailBytes));
    this.#tail = kept.length === 0 ? [] : [Buffer.from(kept)];
    this.#tailSize = kept.length;
  }
}
