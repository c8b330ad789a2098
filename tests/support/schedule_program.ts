// deno run -A tests/support/schedule_program.ts FOLDER STORAGE_URL NODE_ID BEGAN_MS: an agent whose clock runs 300 times as fast, a minute in 200 ms.
import { join } from "node:path";
import { z } from "zod";
import { defineJob, definePlugin } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { startTestKernel } from "./test_kernel.ts";

const [folder, storageUrl, nodeId, began] = Deno.args as [string, string, string, string];
const speed = 300;
const beganMs = Number(began);
const tick = defineJob("load.tick", z.null());

const worker = definePlugin({
  name: "worker",
  summary: "Has a job that does nothing",
  config: z.strictObject({}),
  prefixes: [],
  start: (host) => host.job(tick, () => {}, { concurrency: 16, retry: { maxAttempts: 10 } }),
});

const kernel = await startTestKernel({
  plugins: [eventStore, worker],
  dataDir: join(folder, nodeId),
  storageUrl,
  nodeId,
  jobs: { lease: "1s" },
  clock: {
    // Every agent of one test reckons from the same moment.
    now: () => beganMs + (Date.now() - beganMs) * speed,
    monotonic: () => performance.now() * speed,
  },
});
await Deno.writeTextFile(join(folder, nodeId, "url.txt"), kernel.url);
