import { expect } from "expect";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GeneratedFile } from "./generated_file.ts";
import { markdownTable, replaceSection } from "./marked_section.ts";
import { writeGenerated } from "./write_generated.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "generate-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function section(name: string, content: string): GeneratedFile {
  return { file: "a.md", content: (current) => current && replaceSection(current, { name, content }) };
}

Deno.test("--check names each file that has drifted, once, and writes nothing; without it they are written", () =>
  inFolder(async (root) => {
    const page = "# A\n\n<!-- generated:one -->\n\nold\n\n<!-- /generated -->\n\nkept\n\n" +
      "<!-- generated:two -->\n<!-- /generated -->\n";
    await writeFile(join(root, "a.md"), page);
    const files: GeneratedFile[] = [
      section("one", "first"),
      section("two", "second"),
      { file: "new/b.json", content: () => "{}\n" },
      { file: "absent.md", content: (current) => current },
    ];
    expect(await writeGenerated(files, { root, check: true })).toEqual(["a.md", "new/b.json"]);
    expect(await readFile(join(root, "a.md"), "utf8")).toBe(page);

    expect(await writeGenerated(files, { root, check: false })).toEqual(["a.md", "new/b.json"]);
    expect(await readFile(join(root, "a.md"), "utf8")).toBe(
      "# A\n\n<!-- generated:one -->\n\nfirst\n\n<!-- /generated -->\n\nkept\n\n" +
        "<!-- generated:two -->\n\nsecond\n\n<!-- /generated -->\n",
    );
    expect(await readFile(join(root, "new/b.json"), "utf8")).toBe("{}\n");
    expect(await writeGenerated(files, { root, check: true })).toEqual([]);
  }));

Deno.test("a file without the place for its section is named", () =>
  inFolder(async (root) => {
    await writeFile(join(root, "a.md"), "# A\n");
    await expect(writeGenerated([section("one", "x")], { root, check: true })).rejects.toThrow(
      'Cannot generate "a.md": Cannot find the section "one"',
    );
  }));

Deno.test("tables are aligned, and a bar inside a cell stays inside", () => {
  expect(markdownTable(["A", "Long"], [["x|y", ""]])).toBe(
    "| A    | Long |\n| ---- | ---- |\n| x\\|y |      |",
  );
});
