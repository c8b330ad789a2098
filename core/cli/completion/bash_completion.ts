import { type CommandTree, everyCommand } from "./command_tree.ts";

/** A script for bash (3.2 and newer) that completes commands, options, and the values that are fixed. */
export function bashCompletion(tree: CommandTree): string {
  const commands = everyCommand(tree);
  const paths = commands.slice(1).map(({ path }) => quoted(path.join(" ")));
  const globalFlags = tree.options.flatMap((option) => option.flags);
  const words = commands.map(({ path, command }) => {
    const offered = new Set([
      ...command.commands.map((child) => child.name),
      ...command.choices,
      ...command.options.flatMap((option) => option.flags),
      ...globalFlags,
    ]);
    return `    ${quoted(path.join(" "))}) words=${quoted([...offered].join(" "))} ;;`;
  });
  const valued = commands.flatMap(({ command }) => command.options)
    .filter((option) => option.takes !== "nothing")
    .flatMap((option) => option.flags.map((flag) => ({ flag, option })));
  const flags = (list: typeof valued) => [...new Set(list.map(({ flag }) => flag))].join("|");
  const chosen = valued.filter(({ option }) => option.choices.length > 0).map(({ flag, option }) =>
    `    ${flag}) words=${quoted(option.choices.join(" "))} ;;`
  );
  const files = valued.filter(({ option }) => option.takes === "file");
  const free = valued.filter(({ option }) => option.takes === "text" && option.choices.length === 0);
  return `# bash completion for ${tree.name}. Load it with: source <(${tree.name} completion bash)
_${tree.name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local path="" next="" words="" word="" index IFS=$' \\t\\n'
  COMPREPLY=()
  # --order=asc comes as three words
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in
      ${flags(valued)}) ((index++)) ;;
      *)
        next=\${path:+$path }$word
        case $next in
          ${paths.join("|")}) path=$next ;;
        esac
        ;;
    esac
  done
  case $path in
${words.join("\n")}
  esac
  case $previous in
${chosen.join("\n")}
    ${flags(files)})
      compopt -o filenames 2>/dev/null
      IFS=$'\\n'
      COMPREPLY=($(compgen -f -- "$current"))
      return
      ;;
    ${flags(free)}) return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _${tree.name} ${tree.name}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
