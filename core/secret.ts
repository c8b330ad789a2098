import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";

const redacted = "[redacted]";

/** Text that must never be seen: it prints, logs and serialises as `[redacted]`; only `reveal()` gives it away. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    Object.freeze(this);
  }

  /** The text itself; call it only where it is handed to the party it is meant for. */
  reveal(): string {
    return this.#text;
  }

  /** Whether it is that text, in a time that tells nothing of where they differ. */
  matches(text: string): boolean {
    return timingSafeEqual(digest(this.#text), digest(text));
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  /** What the PostgreSQL driver asks for: a row must not quietly hold `[redacted]`. Always throws. */
  toPostgres(): never {
    throw new Error("Cannot store a Secret: reveal it, or better keep it out of the database");
  }

  [Symbol.toPrimitive](): string {
    return redacted;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return redacted;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return redacted;
  }
}

/** Schema of a configured secret: text in, `Secret` out; usually written as `${env:NAME}` or `${file:PATH}`. */
export function secretText(): z.ZodType<Secret, string> {
  // `writeOnly` tells editors and readers of the JSON schema that it is never shown again.
  return z.string().min(1).transform((text) => new Secret(text)).meta({ writeOnly: true });
}

/** Hashed, since a comparison in constant time needs the same length on both sides, and the length is a secret, too. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
