/** What the program itself prints, when nobody takes it: no stack trace. */
import { EXIT } from './errors.ts';

/**
 * From now on, an output whose reader has closed it is silent, as after SIGPIPE; one that takes no more, for instance on a full disk, is told
 * in one line, and the program does not end with 0.
 */
export function guardOutput(): void {
  for (const [name, stream] of [
    ['standard output', process.stdout],
    ['standard error', process.stderr],
  ] as const)
    stream.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'EPIPE') return;
      process.exitCode ||= EXIT.died;
      if (stream !== process.stderr)
        process.stderr.write(`loongscope: cannot write to ${name} (${code}): make room there, or send it elsewhere\n`);
    });
}
