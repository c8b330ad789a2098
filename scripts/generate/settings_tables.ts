import { sections } from "../../core/config/sections.ts";
import { type SettingRow, settingRows } from "../../core/config/settings_table.ts";
import type { Plugin } from "../../core/plugin.ts";
import type { GeneratedFile } from "./generated_file.ts";
import { markdownTable, replaceSection } from "./marked_section.ts";

/** The table of a plugin's settings in its README.md, which has to have a place for it. */
export function pluginSettings(plugin: Plugin): GeneratedFile {
  return {
    file: `plugins/${plugin.name}/README.md`,
    content: (current) => current && withTable(current, settingRows(plugin.config)),
  };
}

/** The tables of the kernel's own settings: `http:` in docs/http.md, every other section in docs/operations.md. */
export const kernelSettings: readonly GeneratedFile[] = [
  {
    file: "docs/http.md",
    content: (current) => current && withTable(current, settingRows(sections.http, "http")),
  },
  {
    file: "docs/operations.md",
    content: (current) => {
      const others = Object.entries(sections).filter(([name]) => name !== "http");
      return current && withTable(current, others.flatMap(([name, schema]) => settingRows(schema, name)));
    },
  },
];

function withTable(text: string, rows: readonly SettingRow[]): string {
  const content = rows.length === 0 ? "It has no settings." : markdownTable(
    ["Setting", "Type", "Default", "Meaning"],
    rows.map(({ name, type, fallback, description }) => [`\`${name}\``, type, fallback, description]),
  );
  return replaceSection(text, { name: "settings", content });
}
