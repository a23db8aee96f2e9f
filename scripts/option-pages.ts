/** docs/options.md and docs/monitor.md: tables from the declarations of the command line and of the monitor. */
import type { Argument, Option } from 'commander';
import { declareProgram } from '../src/cli/commands.ts';
import { LOG_KINDS } from '../src/cli/log-kinds.ts';
import { COMMANDS } from '../src/gdbstub/monitor/commands.ts';

/** Text in a cell of a table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** What a value may be, and what it is when it is left out; as --help shows it. */
function rangeOf({ argChoices, defaultValue, defaultValueDescription }: Option | Argument): string {
  const words =
    defaultValueDescription ?? (defaultValue === undefined || defaultValue === true ? '' : `${defaultValue}`);
  return [argChoices ? `one of ${argChoices.join(', ')}` : '', words && `default ${words}`].filter(Boolean).join('; ');
}

const withRange = (what: Option | Argument): string => {
  const range = rangeOf(what);
  return cell(`${what.description}${range && ` (${range})`}`);
};

/** Every command with its options. Those that `run` has, too, are listed once. */
export function optionsPage(): string {
  const program = declareProgram(() => {});
  const ofRun = new Map(program.commands.find((c) => c.name() === 'run')!.options.map((o) => [o.flags, o.description]));
  const sections = program.commands.flatMap((command) => {
    const shared = (o: Option): boolean => command.name() !== 'run' && ofRun.get(o.flags) === o.description;
    const own = command.options.filter((option) => !option.hidden && !shared(option));
    const others = command.options.filter(shared).length;
    const row = (name: string, what: Option | Argument): string =>
      `| \`${name.replaceAll('|', '\\|')}\` | ${withRange(what)} |`;
    const rows = [
      ...command.registeredArguments.map((argument) => row(argument.name(), argument)),
      ...own.map((option) => row(option.flags, option)),
    ];
    return [
      `## ${command.name()}`,
      '',
      `${command.description()[0]!.toUpperCase()}${cell(command.description().slice(1))}.`,
      ...(others
        ? [
            '',
            `Of the options of [run](#run) it takes ${others === ofRun.size ? 'all' : `${others}`}; --help lists them.`,
          ]
        : []),
      ...(rows.length ? ['', '| argument, option | what |', '| --- | --- |', ...rows] : []),
      '',
    ];
  });
  return [
    '# Commands and options',
    '',
    'Generated from the declarations (`src/cli/commands.ts`, `src/cli/options.ts`) by `scripts/generate-docs.ts`. [cli.md](cli.md) explains them; `loongscope COMMAND --help` prints the same.',
    '',
    ...sections,
    '## Kinds of --log',
    '',
    '| kind | lines about |',
    '| --- | --- |',
    ...Object.entries(LOG_KINDS).map(([kind, text]) => `| \`${kind}\` | ${text} |`),
    '',
  ].join('\n');
}

/** The commands of the monitor. */
export const monitorPage = (): string =>
  [
    '# Monitor commands',
    '',
    'Generated from the declarations (`src/gdbstub/monitor/`) by `scripts/generate-docs.ts`. In gdb they begin with `monitor`, or `mon`; [gdb.md](gdb.md) shows them at work.',
    '',
    '| command | what |',
    '| --- | --- |',
    ...COMMANDS.map(
      ({ name, args, help }) => `| \`${`${name} ${args}`.trim().replaceAll('|', '\\|')}\` | ${cell(help)} |`,
    ),
    '',
  ].join('\n');
