import { expect } from "expect";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dirname!, "..");

function* files(folder: string, ending: RegExp): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory && !/^(\.|data$|node_modules$)/.test(entry.name)) yield* files(path, ending);
    else if (entry.isFile && ending.test(entry.name)) yield path;
  }
}

Deno.test("every code that a problem can have stands in docs/http.md", async () => {
  const raised = new Set<string>();
  for (const folder of ["core", "plugins"]) {
    for (const path of files(join(root, folder), /(?<!_test)\.ts$/)) {
      const text = await Deno.readTextFile(path);
      for (const [, code] of text.matchAll(/new Problem\(\s*\d{3},\s*"([a-z_]+)"/g)) raised.add(code!);
    }
  }
  const page = await Deno.readTextFile(join(root, "docs/http.md"));
  const table = page.slice(page.indexOf("## Errors"), page.indexOf("\n## ", page.indexOf("## Errors") + 5));
  const missing = [...raised].filter((code) => !table.includes(`\`${code}\``));
  expect(missing).toEqual([]);
});

Deno.test("every link between the pages leads somewhere", async () => {
  const broken: string[] = [];
  for (const path of files(root, /\.md$/)) {
    const text = await Deno.readTextFile(path);
    for (const [, target] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
      try {
        Deno.statSync(join(dirname(path), target!));
      } catch {
        broken.push(`${relative(root, path)} -> ${target}`);
      }
    }
  }
  expect(broken).toEqual([]);
});
