import { expect } from "expect";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { runCli } from "../../../tests/support/run_cli.ts";
import { startSeededKernel } from "../../../tests/support/seeded_kernel.ts";

Deno.test("a tree of causes is drawn, also without UTF-8, and the asked event marked", async () => {
  const dataDir = await Deno.makeTempDir();
  const event = (id: string, causationId: string | null) =>
    eventDraft(`hub.a.demo.${id}`, { id, causationId });
  const drafts = [
    event("order", "gone"),
    event("payment", "order"),
    event("receipt", "payment"),
    event("parcel", "payment"),
    event("label", "parcel"),
    event("mail", "receipt"),
  ];
  {
    await using kernel = await startSeededKernel({ storageUrl: "sqlite:", dataDir }, { drafts });
    const env = {
      COMMANDCENTER_KEY: (await Deno.readTextFile(kernel.adminKeyFile)).trim(),
      LC_ALL: "C.UTF-8",
    };
    const draw = async (words: string[], changes = {}) => {
      const args = ["events", "chain", ...words, "--url", kernel.url];
      const { code, stdout, stderr } = await runCli(args, { env: { ...env, ...changes } });
      expect({ code, stderr }).toMatchObject({ code: 0 });
      return { stderr, lines: stdout.split("\n").slice(0, -1) };
    };
    const time = "2026-01-01T00:00:00.000Z";
    expect((await draw(["payment"])).lines).toEqual([
      `EVENT                   TIME                      ID       SUBJECT`,
      `(missing)                                         gone`,
      `└─ demo.order           ${time}  order    hub.a.demo.order`,
      `   └─ demo.payment ◄    ${time}  payment  hub.a.demo.payment`,
      `      ├─ demo.receipt   ${time}  receipt  hub.a.demo.receipt`,
      `      │  └─ demo.mail   ${time}  mail     hub.a.demo.mail`,
      `      └─ demo.parcel    ${time}  parcel   hub.a.demo.parcel`,
      `         └─ demo.label  ${time}  label    hub.a.demo.label`,
    ]);
    const cut = await draw(["payment", "--depth", "1"], { LC_ALL: "C" });
    expect(cut.lines.map((line) => line.slice(0, 19).trimEnd())).toEqual([
      "EVENT",
      "demo.order",
      "`- demo.payment <",
      "   |- demo.receipt",
      "   |  `- ...",
      "   `- demo.parcel",
      "      `- ...",
    ]);
    expect(cut.stderr).toBe(
      "There are further causes above; a larger --depth shows them.\n" +
        "Some effects are left out; a larger --depth or --limit shows them.\n",
    );
    const { lines: [json] } = await draw(["label", "--json"]);
    expect(JSON.parse(json!)).toMatchObject({ root: "gone", asked: 4 });
    const unknown = await runCli(["events", "chain", "none", "--url", kernel.url], { env });
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toContain('There is no event with the id "none"');
  }
  await Deno.remove(dataDir, { recursive: true });
});
