import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { generatedFiles } from "./generate/generated_files.ts";
import { writeGenerated } from "./generate/write_generated.ts";

const check = process.argv.includes("--check");
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const differing = await writeGenerated(await generatedFiles(), { root, check });
for (const file of differing) {
  process.stdout.write(check ? `${file} is out of date: run "deno task generate"\n` : `${file} written\n`);
}
process.exitCode = check && differing.length > 0 ? 1 : 0;
