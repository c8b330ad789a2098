import { type CommandTree, everyCommand, type OptionShape } from "./command_tree.ts";

/** A script for zsh that completes commands, options with their explanations, and the values that are fixed. */
export function zshCompletion(tree: CommandTree): string {
  const functions = everyCommand(tree).map(({ path, command }) => {
    const name = functionName(tree, path);
    const options = path.length === 0 ? command.options : [...command.options, ...withoutHelp(tree.options)];
    const specs = options.flatMap(optionSpecs).map((spec) => `    ${spec} \\`);
    return command.commands.length === 0
      ? leaf(name, specs, command)
      : branch(name, specs, { tree, path, command });
  });
  return `#compdef ${tree.name}
# zsh completion for ${tree.name}. Load it with: source <(${tree.name} completion zsh)
# or keep it as a file named _${tree.name} in a folder of $fpath.

${functions.join("\n\n")}

if [[ $funcstack[1] == _${tree.name} ]]; then
  _${tree.name} "$@"
elif (( $+functions[compdef] )); then
  compdef _${tree.name} ${tree.name}
fi`;
}

function leaf(name: string, specs: readonly string[], command: CommandTree): string {
  const operand = command.choices.length > 0 ? `1:value:(${command.choices.join(" ")})` : "*:value:";
  return `${name}() {
  _arguments -s \\
${specs.join("\n")}
    ${quoted(operand)}
}`;
}

function branch(
  name: string,
  specs: readonly string[],
  { tree, path, command }: { tree: CommandTree; path: readonly string[]; command: CommandTree },
): string {
  const described = command.commands.map((child) =>
    `    ${quoted(`${escaped(child.name)}:${child.summary}`)}`
  );
  const cases = command.commands.map((child) =>
    `        ${child.name}) ${functionName(tree, [...path, child.name])} ;;`
  );
  return `${name}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${described.join("\n")}
  )
  _arguments -s -C \\
${specs.join("\n")}
    '1: :->command' \\
    '*:: :->rest' && return
  case $state in
    command) _describe -t commands command commands ;;
    rest)
      case $line[1] in
${cases.join("\n")}
      esac
      ;;
  esac
}`;
}

function optionSpecs(option: OptionShape): string[] {
  const summary = option.summary.replaceAll(/[[\]:\\]/g, "\\$&");
  const action = option.takes === "file"
    ? "_files"
    : option.choices.length > 0
    ? `(${option.choices.join(" ")})`
    : "";
  const value = option.takes === "nothing" ? "" : `:value:${action}`;
  return option.flags.map((flag) => quoted(`*${flag}[${summary}]${value}`));
}

function withoutHelp(options: readonly OptionShape[]): readonly OptionShape[] {
  return options.filter((option) => !option.flags.includes("--help"));
}

function functionName(tree: CommandTree, path: readonly string[]): string {
  return `_${[tree.name, ...path].join("_")}`;
}

function escaped(text: string): string {
  return text.replaceAll(":", "\\:");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
