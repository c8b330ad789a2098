import type { Storage } from "./storage.ts";

/**
 * Calls `look` when another agent on the same database may have changed something: commits follow each other closely, so
 * it comes once for all within `hintMs`. Returns the way to stop. On SQLite there is nobody else.
 */
export function hearOthers(
  storage: Storage,
  { hintMs, look }: { hintMs: number; look: () => void },
): () => void {
  if (storage.kind === "sqlite") return () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = storage.onCommit(() => {
    timer ??= setTimeout(() => {
      timer = undefined;
      look();
    }, hintMs);
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
