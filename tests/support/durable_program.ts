// deno run -A tests/support/durable_program.ts DATA_DIR STORAGE_URL: an agent whose plugin writes down what it handles.
import { join } from "node:path";
import { z } from "zod";
import { defineEvent } from "../../core/events.ts";
import { definePlugin } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { startTestKernel } from "./test_kernel.ts";

const [dataDir, storageUrl] = Deno.args as [string, string];
const asked = defineEvent("work.asked", z.strictObject({ n: z.int(), deadly: z.boolean() }));

const worker = definePlugin({
  name: "worker",
  summary: "Writes down what it handles, and dies of some of it",
  config: z.strictObject({}),
  prefixes: [],
  start: (host) =>
    host.subscribe(asked, async ({ n, deadly }) => {
      if (deadly) Deno.kill(Deno.pid, "SIGKILL");
      await Deno.writeTextFile(join(dataDir, "handled.txt"), `${n}\n`, { append: true });
    }, { durable: "writer" }),
});

const kernel = await startTestKernel({
  plugins: [eventStore, worker],
  dataDir,
  storageUrl,
  nodeId: "durable",
});
await Deno.writeTextFile(join(dataDir, "url.txt"), kernel.url);
