/** Runs the command line, and turns mistakes into a line and an exit code. */
import { CommanderError } from 'commander';
import { nearest } from '../emu/formats/nearest.ts';
import { declareProgram } from './commands.ts';
import { EXIT, UsageError } from './errors.ts';
import { guardOutput } from './own-output.ts';
import { VERSION } from './version.ts';

let code: number = EXIT.ok;
guardOutput();
const program = declareProgram((ended) => {
  code = ended;
});

const GREETING = `loongscope ${VERSION}: a LoongArch64 machine with the LVZ virtualization extension, made for debugging hypervisors with gdb

  loongscope demo                          the tour: a real gdb steps through the world switch
  loongscope run --guest hello             the reference hypervisor and a guest, on this terminal
  loongscope debug --guest hello           the same with a gdb, symbols loaded
  loongscope run --gdb 1234 --wait FILE    your hypervisor, your gdb
  loongscope doctor                        what is missing here, and what mends it
  loongscope --help                        all commands
`;

/** Did the system refuse something, for a reason outside the program? */
const isOfSystem = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error;

/** What was most likely meant in the place of an unknown option or command, in brackets. */
function meant(message: string): string {
  const [, kind, wrong] = /unknown (option|command) '([^'=]*)/.exec(message) ?? [];
  if (wrong === undefined) return '';
  const command = program.commands.find((c) => c.name() === process.argv[2]) ?? program;
  const names =
    kind === 'option' ? command.options.flatMap((o) => o.long ?? []) : program.commands.map((c) => c.name());
  const name = nearest(wrong, [...names, ...(kind === 'option' ? ['--help'] : [])]);
  return name === undefined ? '' : ` (did you mean ${name}?)`;
}

try {
  if (process.argv.length <= 2) process.stdout.write(GREETING);
  else await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version are not errors.
    if (error.exitCode === 0) code = EXIT.ok;
    else {
      process.stderr.write(
        `loongscope: ${error.message.replace(/^error: /, '')}${meant(error.message)}: see loongscope --help\n`,
      );
      code = EXIT.usage;
    }
  } else if (error instanceof UsageError) {
    process.stderr.write(`loongscope: ${error.message}\n`);
    code = EXIT.usage;
  } else if (isOfSystem(error)) {
    process.stderr.write(
      `loongscope: ${error.syscall} of ${error.path ?? 'a file'} fails (${error.code}): check its place, rights and room\n`,
    );
    code = EXIT.usage;
  } else throw error;
}
// An output that took no more has set a code already.
process.exitCode = code || process.exitCode;
