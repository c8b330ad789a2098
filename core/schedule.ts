import { Cron } from "croner";

/** Runs `work` on a cron pattern in UTC, never twice at once; returns the way to stop it. Throws on a bad pattern. */
export function schedule(
  pattern: string,
  { work, onError }: { work: () => unknown; onError: (error: unknown) => void },
): () => void {
  const cron = new Cron(
    pattern,
    { timezone: "UTC", protect: true, unref: true, catch: onError },
    async () => {
      await work();
    },
  );
  return () => cron.stop();
}
