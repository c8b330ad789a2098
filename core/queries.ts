import type { z } from "zod";

/** A question with an answer, asked in-process or across hosts. */
export interface Query<Ask, Answer> {
  /** Dotted name, unique over all plugins: `federation.catalog.list`. */
  readonly name: string;
  readonly ask: z.ZodType<Ask>;
  readonly answer: z.ZodType<Answer>;
}

/** Declares a query; one constant per query. */
export function defineQuery<Ask, Answer>(
  name: string,
  shapes: { ask: z.ZodType<Ask>; answer: z.ZodType<Answer> },
): Query<Ask, Answer> {
  return { name, ...shapes };
}
