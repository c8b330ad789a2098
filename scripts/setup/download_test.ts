import { expect } from "expect";
import { createHash } from "node:crypto";
import { freePort } from "../../tests/support/free_port.ts";
import { download } from "./download.ts";

const content = "what was packed";

function digestOf(text: string) {
  const value = createHash("sha256").update(text).digest("hex");
  return { algorithm: "sha256", encoding: "hex", value } as const;
}

async function served<Result>(status: number, use: (url: string) => Promise<Result>): Promise<Result> {
  const answer = () => new Response(content, { status });
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  return await use(`http://127.0.0.1:${server.addr.port}/`);
}

Deno.test("a download with the digest written down is returned", async () => {
  const bytes = await served(200, (url) => download(url, digestOf(content)));
  expect(new TextDecoder().decode(bytes)).toBe(content);
});

Deno.test("an altered download is refused", async () => {
  const altered = served(200, (url) => download(url, digestOf(`${content}!`)));
  await expect(altered).rejects.toThrow(/Cannot download ".*": its sha256 is [0-9a-f]{64}, not [0-9a-f]{64}/);
});

Deno.test("an answer that is no success, and no answer at all, are refused with the reason", async () => {
  const missing = served(404, (url) => download(url, digestOf(content)));
  await expect(missing).rejects.toThrow(/the answer was 404/);
  const nobody = download(`http://127.0.0.1:${freePort()}/`, digestOf(content));
  await expect(nobody).rejects.toThrow(/Connection refused/);
});
