// deno run -A tests/support/job_program.ts FOLDER STORAGE_URL NODE_ID COUNT|deadly|again: an agent that writes down when its jobs begin and end.
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { z } from "zod";
import { defineJob, definePlugin, type Host } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { startTestKernel } from "./test_kernel.ts";

const [folder, storageUrl, nodeId, count] = Deno.args as [string, string, string, string];
const work = defineJob("load.work", z.strictObject({ n: z.int(), ms: z.int() }));
const deadly = defineJob("load.deadly", z.null());
let host: Host | undefined;

const note = (line: string) =>
  Deno.writeTextFileSync(join(folder, "lines.txt"), `${line}\n`, { append: true });

const worker = definePlugin({
  name: "worker",
  summary: "Writes down what it does",
  config: z.strictObject({}),
  prefixes: [],
  start: (lent) => {
    host = lent as Host;
    host.job(work, async ({ n, ms }) => {
      note(`begin ${n} ${Deno.pid}`);
      await delay(ms);
      note(`end ${n} ${Deno.pid}`);
    }, { concurrency: 16, retry: { maxAttempts: 10 } });
    host.job(deadly, () => {
      note(`begin -1 ${Deno.pid}`);
      Deno.kill(Deno.pid, "SIGKILL");
    });
  },
});

const kernel = await startTestKernel({
  plugins: [eventStore, worker],
  dataDir: join(folder, nodeId),
  storageUrl,
  nodeId,
  jobs: { lease: storageUrl === "sqlite:" ? "1h" : "1s" },
});
if (Number(count) > 0) {
  await host!.db.transaction().execute(async (trx) => {
    for (let n = 0; n < Number(count); n++) await host!.enqueue(work, { n, ms: n % 20 }, { trx });
  });
}
if (count === "deadly") await host!.enqueue(deadly, null);
await Deno.writeTextFile(join(folder, nodeId, "url.txt"), kernel.url);
