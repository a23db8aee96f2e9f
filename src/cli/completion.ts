/** Shell completion, from the declarations of the command line. */
import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What follows an option: one of these words, a file, or something else. */
type Value = readonly string[] | 'file' | 'other' | undefined;

interface Flag {
  readonly name: string;
  readonly text: string;
  readonly value: Value;
}

interface Completed {
  readonly name: string;
  readonly text: string;
  readonly flags: readonly Flag[];
  /** Words that the command takes. undefined: files. */
  readonly words: readonly string[] | undefined;
}

/** Placeholders of files and folders in the declarations, and options whose value begins with a file. */
const FILES = /^<(?:file|folder|snapshot|spec|where)>$/;

function valueAfter(option: Option): Value {
  const place = /<.*>|\[.*\]/.exec(option.flags)?.[0];
  if (place === undefined) return undefined;
  if (option.argChoices) return option.argChoices;
  return FILES.test(place) ? 'file' : 'other';
}

/** The commands with their options, as the shells need them. */
function completed(program: Command): Completed[] {
  return program.commands.map((command) => {
    const visible = command.options.filter((option) => !option.hidden);
    const choices = command.registeredArguments
      .map((argument) => argument.argChoices)
      .find((list) => list !== undefined);
    return {
      name: command.name(),
      text: command.description(),
      flags: [
        ...visible.map((option) => ({ name: option.long!, text: option.description, value: valueAfter(option) })),
        { name: '--help', text: 'help', value: undefined },
      ],
      words: choices,
    };
  });
}

/** Text between single quotes of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bash(commands: readonly Completed[]): string {
  const flags = commands.map(
    (c) =>
      `    ${c.name}) flags=${quoted(c.flags.map((f) => f.name).join(' '))} words=${quoted(c.words?.join(' ') ?? '')} ;;`,
  );
  const values = commands.flatMap((c) =>
    c.flags.flatMap((f) => {
      if (f.value === undefined) return [];
      const action =
        f.value === 'file'
          ? 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$word"))'
          : f.value === 'other'
            ? 'COMPREPLY=()'
            : `COMPREPLY=($(compgen -W ${quoted(f.value.join(' '))} -- "$word"))`;
      return [`    ${quoted(`${c.name} ${f.name}`)}) ${action}; return ;;`];
    }),
  );
  return `# bash: source <(loongscope completion bash)
_loongscope() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} flags= words=
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W ${quoted([...commands.map((c) => c.name), '--help', '--version'].join(' '))} -- "$word"))
    return
  fi
  case "$command $before" in
${values.join('\n')}
  esac
  case $command in
${flags.join('\n')}
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *) if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); else compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); fi ;;
  esac
}
complete -F _loongscope loongscope
`;
}

/** A description inside the brackets of zsh's _arguments. */
const described = (text: string): string => text.replace(/[[\]\\:]/g, '\\$&');

function zsh(commands: readonly Completed[]): string {
  const cases = commands.map((c) => {
    const specs = c.flags.map((f) => {
      const value =
        f.value === undefined
          ? ''
          : f.value === 'file'
            ? ':file:_files'
            : f.value === 'other'
              ? ':value: '
              : `:value:(${f.value.join(' ')})`;
      return `        ${quoted(`*${f.name}[${described(f.text)}]${value}`)}`;
    });
    const rest = c.words ? `:word:(${c.words.join(' ')})` : ':file:_files';
    return `      ${c.name})\n        _arguments \\\n${[...specs, `        ${quoted(`*${rest}`)}`].join(' \\\n')}\n        ;;`;
  });
  return `#compdef loongscope
# zsh: source <(loongscope completion zsh), or this text as _loongscope in a folder of $fpath
_loongscope() {
  local -a commands
  commands=(
${commands.map((c) => `    ${quoted(`${c.name}:${c.text}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
compdef _loongscope loongscope
`;
}

/** Text between single quotes of fish. */
const fishQuoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap((c) => [
    `complete -c loongscope -n __fish_use_subcommand -f -a ${c.name} -d ${fishQuoted(c.text)}`,
    ...(c.words
      ? [`complete -c loongscope -n '__fish_seen_subcommand_from ${c.name}' -f -a ${fishQuoted(c.words.join(' '))}`]
      : []),
    ...c.flags.map((f) => {
      const value =
        f.value === undefined
          ? ''
          : f.value === 'file'
            ? ' -r -F'
            : f.value === 'other'
              ? ' -x'
              : ` -x -a ${fishQuoted(f.value.join(' '))}`;
      return `complete -c loongscope -n '__fish_seen_subcommand_from ${c.name}' -l ${f.name.slice(2)}${value} -d ${fishQuoted(f.text)}`;
    }),
  ]);
  return `# fish: loongscope completion fish | source\n${lines.join('\n')}\n`;
}

/** The script that a shell reads. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = completed(program);
  switch (shell) {
    case 'bash':
      return bash(commands);
    case 'zsh':
      return zsh(commands);
    case 'fish':
      return fish(commands);
  }
}
