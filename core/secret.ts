import { z } from "zod";

const redacted = "[redacted]";

/** Text that must never be seen: it prints, logs and serialises as `[redacted]`; only `reveal()` gives it away. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself; call it only where it is handed to the party it is meant for. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
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
  return z.string().min(1).transform((text) => new Secret(text));
}
