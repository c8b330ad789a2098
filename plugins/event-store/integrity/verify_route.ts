import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Problem } from "../../../core/errors.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import { sseHead } from "../../../core/http/send_sse.ts";
import { requireUnlimited } from "../../../core/http/principal.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { LogCondition } from "./log_condition.ts";
import { verificationStream } from "./verification_stream.ts";
import { parseNotedHead } from "./noted_head.ts";

const verifyRoute = createRoute({
  method: "get",
  path: "/api/events/verify",
  summary: "Walk the log and name the first broken link",
  description:
    "Server-sent events: `progress` (`{next_seq, to_seq, findings}`) now and then, at the end one `result`: `{ok, " +
    "from_seq, head, events, findings, finding_count, removed}`. Whoever leaves cancels it. Who can write the whole " +
    "database can compute the whole chain anew: note `head` elsewhere, and give it as `expect` the next time.",
  security: [{ key: ["read"] }],
  request: {
    query: z.strictObject({
      from_seq: z.coerce.number().pipe(z.int().min(1)).optional().openapi({
        type: "integer",
        description: "Begin with this sequence, and believe what comes before",
      }),
      expect: z.string().regex(
        /^\d{1,16}:[0-9a-f]{64}$/,
        "expected SEQ:HASH, as a verification shows its head",
      )
        .transform((text) => parseNotedHead(text)!).optional().openapi({
          type: "string",
          description: "`SEQ:HASH` that was noted before: the log has to hold that event still",
        }),
    }),
  },
  responses: {
    200: { description: "Progress and result", content: { "text/event-stream": { schema: z.string() } } },
    403: { description: "The key is limited to projects" },
    409: { description: "The log is being verified already" },
  },
});

interface VerifyParts {
  readonly storage: Storage;
  readonly condition: LogCondition;
  /** Aborted when the plugin stops. */
  readonly stopping: AbortSignal;
}

/** `GET /api/events/verify`: one at a time. */
export function addVerifyRoute(http: OpenAPIHono<HttpEnv>, parts: VerifyParts): void {
  let running = false;
  http.openapi(verifyRoute, (c) => {
    requireUnlimited(c.env.principal);
    if (c.req.method === "HEAD") return sseHead(c);
    if (running) {
      throw new Problem(409, "verify_running", {
        detail: "The log is being verified already; wait until that is done, or end it",
      });
    }
    running = true;
    const { from_seq, expect } = c.req.valid("query");
    return verificationStream({
      ...parts,
      ...(from_seq === undefined ? {} : { from: from_seq }),
      expect,
      closing: c.env.closing,
      stillAllowed: () => c.env.stillAllowed(),
      correlationId: c.env.correlationId,
      onEnd: () => running = false,
    });
  });
}
