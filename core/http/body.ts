import type { Context, Next } from "hono";
import { Problem } from "../errors.ts";
import type { HttpEnv } from "./env.ts";
import { decodeJson } from "./json_text.ts";

/**
 * Reads the body once, up to `maxBytes`, and leaves it where `c.req.json()`, `text()` and `arrayBuffer()` find it, so
 * that no handler can forget the limit. Rejects with Problem 400 or 413.
 */
export async function takeBody(c: Context<HttpEnv>, maxBytes: number): Promise<void> {
  const { raw } = c.req;
  // Hono runs a middleware twice for a path that reads like its own pattern, such as /api/keys/*.
  if ("arrayBuffer" in c.req.bodyCache) return;
  const declared = raw.headers.get("content-length");
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (raw.body === null) return;
  // With a declared length the server itself stops there, and taking all at once is much quicker.
  c.env.receivingBody = true;
  const bytes = declared === null ? await read(raw.body, maxBytes) : await readAll(raw);
  c.env.receivingBody = false;
  const cache = c.req.bodyCache as { arrayBuffer?: Promise<ArrayBuffer>; text?: Promise<string> }; // as Hono fills it
  cache.arrayBuffer = Promise.resolve(bytes.buffer);
  if (isJson(raw.headers.get("content-type"))) cache.text = Promise.resolve(decodeJson(bytes));
}

/** First handler of every route whose method comes with a body. */
export async function receiveBody(c: Context<HttpEnv>, next: Next): Promise<void> {
  await takeBody(c, c.env.maxBodyBytes);
  await next();
}

async function readAll(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await request.arrayBuffer());
  } catch (error) {
    throw incomplete(error);
  }
}

async function read(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.byteLength;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {}); // the caller learns of `error`; a sender that is gone cannot be cancelled
    if (error instanceof Problem) throw error;
    throw incomplete(error);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

function isJson(contentType: string | null): boolean {
  return contentType !== null && /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType);
}

function incomplete(cause: unknown): Problem {
  return new Problem(400, "incomplete_body", { detail: "The body broke off before its end", cause });
}

function tooLarge(maxBytes: number): Problem {
  return new Problem(413, "body_too_large", {
    detail: `The body is larger than the ${maxBytes} bytes allowed`,
  });
}
