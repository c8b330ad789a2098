import { type CommandTree, everyCommand, type OptionShape } from "./command_tree.ts";

/** A script for fish that completes commands, options with their explanations, and the values that are fixed. */
export function fishCompletion(tree: CommandTree): string {
  const at = `__${tree.name}_at`;
  const valued = everyCommand(tree).flatMap(({ command }) => command.options)
    .filter((option) => option.takes !== "nothing")
    .flatMap((option) => option.flags);
  const lines = everyCommand(tree).flatMap(({ path, command }) => {
    const condition = path.length === 0 ? "" : ` -n ${quoted(`${at} ${path.join(" ")}`)}`;
    const here = ` -n ${quoted(`${at} ${path.join(" ")}`.trim())}`;
    return [
      ...command.commands.map((child) =>
        `complete -c ${tree.name}${here} -a ${child.name} -d ${quoted(child.summary)}`
      ),
      ...(command.choices.length > 0
        ? [`complete -c ${tree.name}${here} -a ${quoted(command.choices.join(" "))}`]
        : []),
      ...command.options.map((option) => `complete -c ${tree.name}${condition}${optionPart(option)}`),
    ];
  });
  const known = everyCommand(tree).filter(({ path }) => path.length > 0)
    .map(({ path }) => quoted(path.join(" ")));
  return `# fish completion for ${tree.name}. Load it with: ${tree.name} completion fish | source
function ${at} -d 'whether the words so far name that command'
  set -l path
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
    else if contains -- $word ${[...new Set(valued)].join(" ")}
      set skip 1
    else if contains -- (string trim -- "$path $word") ${known.join(" ")}
      set path $path $word
    end
  end
  test "$path" = "$argv"
end
complete -c ${tree.name} -f
${lines.join("\n")}`;
}

function optionPart(option: OptionShape): string {
  const flags = option.flags.map((flag) =>
    flag.startsWith("--") ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`
  );
  const value = option.takes === "file"
    ? " -rF"
    : option.takes === "text"
    ? ` -x${option.choices.length > 0 ? ` -a ${quoted(option.choices.join(" "))}` : ""}`
    : "";
  return `${flags.join("")}${value} -d ${quoted(option.summary)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
