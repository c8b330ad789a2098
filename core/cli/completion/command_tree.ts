/** What completion has to know of a command. */
export interface CommandTree {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionShape[];
  /** Fixed values of the first operand, if it has some. */
  readonly choices: readonly string[];
  readonly commands: readonly CommandTree[];
}

/** What completion has to know of an option. */
export interface OptionShape {
  /** Such as `-h` and `--help`. */
  readonly flags: readonly string[];
  readonly summary: string;
  readonly takes: "nothing" | "text" | "file";
  /** The values that it takes, where they are fixed. */
  readonly choices: readonly string[];
}

/** The part of the command parser's own objects that is read here. */
interface ParserCommand {
  name(): string;
  summary(): string;
  description(): string;
  readonly commands: readonly ParserCommand[];
  readonly options: readonly {
    readonly short?: string | undefined;
    readonly long?: string | undefined;
    readonly description: string;
    readonly required: boolean;
    readonly flags: string;
    readonly argChoices?: readonly string[] | undefined;
  }[];
  readonly registeredArguments: readonly { readonly argChoices?: readonly string[] | undefined }[];
}

/** Reads the tree off the parser, so that completion offers exactly what is understood. */
export function commandTree(command: ParserCommand): CommandTree {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: [
      ...command.options.map((option) => ({
        flags: [option.short, option.long].filter((flag) => flag !== undefined),
        summary: option.description,
        takes: !option.required
          ? "nothing" as const
          : /<FILE>/.test(option.flags)
          ? "file" as const
          : "text" as const,
        choices: option.argChoices ?? [],
      })),
      { flags: ["-h", "--help"], summary: "tell how to use it", takes: "nothing" as const, choices: [] },
    ],
    choices: command.registeredArguments[0]?.argChoices ?? [],
    commands: command.commands.map(commandTree),
  };
}

/** Every command with the words that lead to it; the program itself comes first, with none. */
export function everyCommand(
  tree: CommandTree,
  path: readonly string[] = [],
): { path: readonly string[]; command: CommandTree }[] {
  return [
    { path, command: tree },
    ...tree.commands.flatMap((command) => everyCommand(command, [...path, command.name])),
  ];
}
