import { z } from "zod";
import { isPattern } from "../../../core/bus/subject.ts";
import { durationMs, sizeBytes } from "../../../core/units.ts";
import { anywhere } from "../search/filter_query.ts";

const maxRules = 100;

const retentionRule = z.strictObject({
  subject: z.string()
    .refine(isPattern, { message: "expected a subject or a pattern such as hub.*.telemetry.>" })
    .transform(anywhere)
    .describe(
      "The events it is about: `*` is one token, `>` at the end the rest; without `hub.`: of any node",
    ),
  max_age: durationMs({ min: 1000 }).optional()
    .describe("Time since the event was stored here, after which it is removed"),
  max_count: z.int().min(0).optional().describe("Events of this rule that stay: the latest"),
  max_bytes: sizeBytes().optional()
    .describe(
      "Bytes of payload, as stored, that stay: of the latest events; indexes and columns are not counted",
    ),
  keep_unacked: z.boolean().default(true)
    .describe("Whether what a consumer has yet to acknowledge stays, whatever the limits say"),
});

/** The list under `plugins.event-store.retention`. */
export const retentionSettings = z.array(retentionRule).max(maxRules).superRefine((rules, context) => {
  rules.forEach((rule, index) => {
    const { subject, max_age, max_count, max_bytes } = rule;
    if (max_age === undefined && max_count === undefined && max_bytes === undefined) {
      context.addIssue({
        code: "custom",
        path: [index],
        message: "the rule limits nothing: give it max_age, max_count or max_bytes",
      });
    }
    if (rules.findIndex((other) => other.subject === subject) < index) {
      context.addIssue({
        code: "custom",
        path: [index, "subject"],
        message: `an earlier rule decides for "${subject}" already; remove one of the two`,
      });
    }
  });
});

/** One rule, parsed: times in milliseconds, sizes in bytes. */
export type RetentionRule = z.output<typeof retentionRule>;
