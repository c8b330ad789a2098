import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { HttpEnv } from "./env.ts";
import { newApp } from "./new_app.ts";

/** In a thread of its own: 4 MB are too much to unpack while everybody waits. */
const unpack = promisify(gunzip);

/** The page may load and call this agent, and nothing else; Scalar sets styles from its script. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CommandCenter API</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="reference"></div>
<script src="/docs/scalar.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const start = `Scalar.createApiReference("#reference", ${
  JSON.stringify({
    url: "/openapi.json",
    withDefaultFonts: false,
    telemetry: false,
    hideClientButton: true,
    showDeveloperTools: "never",
    agent: { disabled: true },
    mcp: { disabled: true },
    persistAuth: false,
  })
});
`;

const security: Record<string, string[]>[] = [{ key: ["read"] }, { loopback: [] }];

function described(path: string, summary: string) {
  return createRoute({
    method: "get",
    path,
    tags: ["reference"],
    security,
    summary,
    responses: { 200: { description: "As it is" } },
  });
}

/** `/openapi.json` and `/docs`, to which `/` leads; `describe` returns the current description as JSON text. */
export function referenceRoutes(describe: () => string): OpenAPIHono<HttpEnv> {
  const app = newApp();
  // Loaded when first asked for: most agents never are.
  const packed = async () => (await import("./reference/packed_script.ts")).packedScript;
  let unpacked: Promise<Uint8Array<ArrayBuffer>> | undefined;
  const unpackedOnce = () => unpacked ??= packed().then(unpack).then((script) => new Uint8Array(script));
  app.openapi(
    createRoute({
      method: "get",
      path: "/",
      tags: ["reference"],
      security,
      summary: "Leads to /docs",
      responses: { 302: { description: "To /docs" } },
    }),
    (c) => c.redirect("/docs", 302),
  );
  app.openapi(
    described("/openapi.json", "This API, described as OpenAPI 3.1"),
    (c) => c.body(describe(), 200, { "content-type": "application/json" }),
  );
  app.openapi(
    described("/docs", "This API, to read and to try in a browser"),
    (c) =>
      c.body(page, 200, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": pagePolicy,
      }),
  );
  app.openapi(
    described("/docs/start.js", "Starts the page at /docs"),
    (c) => c.body(start, 200, { "content-type": "text/javascript; charset=utf-8" }),
  );
  app.openapi(described("/docs/scalar.js", "The program behind the page at /docs"), async (c) => {
    const headers = { "content-type": "text/javascript; charset=utf-8", vary: "accept-encoding" };
    const cached = { ...headers, "cache-control": "private, max-age=3600" };
    const gzip = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
    return gzip
      ? c.body(await packed(), 200, { ...cached, "content-encoding": "gzip" })
      : c.body(await unpackedOnce(), 200, cached);
  });
  return app;
}
