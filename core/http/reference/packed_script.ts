import script from "./scalar.js.gz" with { type: "bytes" };

/**
 * Scalar's page in one file, which asks nothing of the outside: `dist/browser/standalone.js` of
 * `@scalar/api-reference@1.72.1`, through `gzip -9 -n`. A copy, since the package would bring 185 others (287 MB).
 * Imported rather than read, so that a packed program holds it.
 */
export const packedScript: Uint8Array<ArrayBuffer> = script;
