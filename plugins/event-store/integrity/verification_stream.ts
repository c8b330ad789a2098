import { Problem } from "../../../core/errors.ts";
import { problemBody, problemOf } from "../../../core/http/problem.ts";
import { sseFrame, sseHeaders } from "../../../core/http/send_sse.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { Finding } from "./finding.ts";
import type { LogCondition } from "./log_condition.ts";
import type { NotedHead } from "./noted_head.ts";
import { type Progress, type Verification, verifyLog } from "./verify_log.ts";

/** How often progress is told, in milliseconds; also what keeps the connection alive. */
const progressEveryMs = 250;

const encoder = new TextEncoder();

interface StreamOptions {
  readonly storage: Storage;
  readonly condition: LogCondition;
  readonly from?: number;
  readonly expect: NotedHead | undefined;
  readonly stopping: AbortSignal;
  readonly closing: AbortSignal;
  readonly stillAllowed: () => boolean;
  readonly correlationId: string;
  /** Called once, however it ends. */
  readonly onEnd: () => void;
}

/** Verifies the log and tells of it as server-sent events: `progress`, and at the end `result`, or `error` with a problem. */
export function verificationStream(options: StreamOptions): Response {
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, options.stopping, options.closing]);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (event: string, data: unknown) => {
        if (!left.signal.aborted) controller.enqueue(encoder.encode(sseFrame(event, data)));
      };
      void verify(options, { signal, send }).catch((error) => {
        send("error", problemBody(problemOf(signal.aborted ? stopped() : error), options.correlationId));
      }).finally(() => {
        options.onEnd();
        if (!left.signal.aborted) controller.close();
      });
    },
    cancel: () => left.abort(),
  });
  return new Response(body, { headers: sseHeaders });
}

async function verify(
  options: StreamOptions,
  { signal, send }: { signal: AbortSignal; send: (event: string, data: unknown) => void },
): Promise<void> {
  const { storage, condition, stillAllowed, expect } = options;
  let toldAt = -Infinity;
  const onProgress = ({ nextSeq, toSeq, findings }: Progress) => {
    const now = performance.now();
    if (now - toldAt < progressEveryMs) return;
    toldAt = now;
    if (!stillAllowed()) {
      throw new Problem(401, "key_ended", { detail: "The key of this request was revoked or has expired" });
    }
    send("progress", { next_seq: nextSeq, to_seq: toSeq, findings });
  };
  const from = options.from === undefined ? {} : { from: options.from };
  const verification = await verifyLog(storage, { ...from, expect, signal, onProgress });
  // What a caller expected in vain says something about the caller's note, not yet about this log.
  const first = verification.findings.find(({ kind }) => kind !== "not_as_expected");
  if (first) condition.fault(first.detail);
  send("result", resultJson(verification));
}

function resultJson({ fromSeq, head, events, findings, findingCount, signers }: Verification) {
  return {
    ok: findingCount === 0,
    from_seq: fromSeq,
    head,
    events,
    findings: findings.map(findingJson),
    finding_count: findingCount,
    removed: signers,
  };
}

function findingJson({ kind, seq, toSeq, detail }: Finding) {
  return { kind, seq, to_seq: toSeq, detail };
}

function stopped(): Problem {
  return new Problem(503, "stopping", { detail: "The agent is stopping; verify again when it runs" });
}
