import { expect } from "expect";
import { stripVTControlCharacters } from "node:util";
import { repository, runCli } from "../../../tests/support/run_cli.ts";

/** Command lines, the last word of which is being typed, and what has to be offered. */
const lines: readonly { words: readonly string[]; offers: readonly string[]; hides?: readonly string[] }[] = [
  { words: [""], offers: ["start", "events", "completion"], hides: ["publish"] },
  { words: ["ev"], offers: ["events"], hides: ["start"] },
  { words: ["events", ""], offers: ["publish", "query", "follow", "stats"], hides: ["create"] },
  { words: ["--config", "events", "keys", ""], offers: ["create", "list", "revoke"], hides: ["publish"] },
  { words: ["events", "query", "--o"], offers: ["--order", "--origin"], hides: ["--limit"] },
  { words: ["events", "query", "--order", ""], offers: ["asc", "desc"], hides: ["--limit"] },
  { words: ["keys", "create", "--scope", "w"], offers: ["write"], hides: ["read"] },
  { words: ["completion", ""], offers: ["bash", "zsh", "fish"] },
  { words: ["--config", "deno.j"], offers: ["deno.json"] },
];

async function script(shell: string): Promise<string> {
  const { code, stdout } = await runCli(["completion", shell]);
  expect(code).toBe(0);
  return stdout;
}

async function installed(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["-c", "exit 0"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What a shell program prints; its standard error has to stay empty. */
async function printed(
  shell: string,
  { args, env }: { args: string[]; env: Record<string, string> },
): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(shell, { args, env, cwd: repository }).output();
  expect(new TextDecoder().decode(stderr)).toBe("");
  return new TextDecoder().decode(stdout);
}

function expectOffers(output: string, line: typeof lines[number]): void {
  const withoutSummaries = output.replaceAll(/(\t| +-- ).*$/gm, "");
  const words = stripVTControlCharacters(withoutSummaries).split(/[\s*]+/);
  for (const offer of line.offers) expect(words).toContain(offer);
  for (const hidden of line.hides ?? []) expect(words).not.toContain(hidden);
}

Deno.test("bash completes commands, options and values", async () => {
  const env = { SCRIPT: await script("bash") };
  for (const line of lines) {
    const program = 'eval "$SCRIPT"; COMP_WORDS=(commandcenter "$@"); COMP_CWORD=$#; ' +
      '_commandcenter; printf "%s\\n" "${COMPREPLY[@]}"';
    expectOffers(await printed("bash", { args: ["-c", program, "bash", ...line.words], env }), line);
  }
});

Deno.test("bash completes a value that stands behind an equals sign", async () => {
  const program = 'eval "$SCRIPT"; COMP_WORDS=(commandcenter events query --order = d); COMP_CWORD=5; ' +
    '_commandcenter; printf "%s\\n" "${COMPREPLY[@]}"';
  expect(await printed("bash", { args: ["-c", program], env: { SCRIPT: await script("bash") } })).toBe(
    "desc\n",
  );
});

Deno.test("fish completes commands, options and values", async () => {
  const text = await script("fish");
  expect(text).toContain(
    "complete -c commandcenter -n '__commandcenter_at events' -a publish -d 'publish one event'",
  );
  if (!await installed("fish")) return; // the text above is all that can be looked at
  for (const line of lines) {
    const program = "printf %s $SCRIPT | source; complete -C $LINE";
    const env = { SCRIPT: text, LINE: ["commandcenter", ...line.words].join(" ") };
    expectOffers(await printed("fish", { args: ["--no-config", "-c", program], env }), line);
  }
});

// zsh completes only while it edits a line: a second zsh on a terminal of its own does so as soon as it can.
const zshProgram = `
zmodload zsh/zpty
zpty shell TERM=dumb COLUMNS=200 zsh -f -i
zpty -w shell 'PS1=; stty -echo; autoload -U compinit; compinit -u -D; eval "$SCRIPT"
zle-line-init() { BUFFER=$LINE; CURSOR=$#BUFFER; print $BEGIN; zle list-choices; zle -R; print $END }; zle -N zle-line-init'
zpty -r -m shell text "*$BEGIN*$END*" || exit 1
print -r -- "\${text##*$BEGIN}"
`;

Deno.test("zsh completes commands, options and values", async () => {
  const text = await script("zsh");
  expect(text).toContain("'publish:publish one event'");
  if (!await installed("zsh")) return; // the text above is all that can be looked at
  for (const line of lines) {
    const env = {
      SCRIPT: text,
      LINE: ["commandcenter", ...line.words].join(" "),
      BEGIN: "<offers>", // not in the program itself, which the terminal echoes
      END: "</offers>",
    };
    expectOffers(await printed("zsh", { args: ["-f", "-c", zshProgram], env }), line);
  }
});

Deno.test("a shell that is not known is a usage error", async () => {
  const { code, stderr } = await runCli(["completion", "tcsh"]);
  expect(code).toBe(2);
  expect(stderr).toContain("bash, zsh, fish");
});
