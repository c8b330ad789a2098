import { bashCompletion } from "./completion/bash_completion.ts";
import { exitCode } from "./cli_error.ts";
import type { CommandTree } from "./completion/command_tree.ts";
import { fishCompletion } from "./completion/fish_completion.ts";
import type { Invocation } from "./invocation.ts";
import { zshCompletion } from "./completion/zsh_completion.ts";

const scripts: Readonly<Record<string, (tree: CommandTree) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `completion bash|zsh|fish`: prints a script to be sourced by that shell. */
export function printCompletion({ terminal, operands }: Invocation, tree: CommandTree): Promise<number> {
  terminal.print(scripts[operands[0]!]!(tree));
  return Promise.resolve(exitCode.ok);
}
