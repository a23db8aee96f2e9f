/** Recorded runs of Linux, repeated with another engine: what they show, and how they leave the machine. */
import { createHash } from 'node:crypto';
import type { MachineCli } from '../../src/cli/options.ts';
import { readRecording } from '../../src/cli/recording/file.ts';
import { replayed } from '../../src/cli/recording/replay.ts';
import { type Running, start } from '../../src/cli/run.ts';
import { stateDigest } from '../../src/emu/check/state-digest.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';

/** The end of a run. */
export interface Ending {
  readonly code: number;
  readonly instructions: number;
  /** Of all that the console has shown, and of registers, devices and RAM, in hexadecimal. */
  readonly console: string;
  readonly state: string;
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** What a machine is at its end. */
export const endingOf = (machine: Machine, code: number, console: Uint8Array): Ending => ({
  code,
  instructions: machine.instructions,
  console: sha256(console),
  // The timers of a machine that waits depend on when it was ended.
  state: sha256(JSON.stringify([...stateDigest(machine)].filter(([name]) => !name.startsWith('timers')))),
});

/** Runs a machine to its end. @param meanwhile what a person does at its console; `shown` is the text so far */
export async function run(
  image: string | undefined,
  cli: MachineCli,
  meanwhile?: (running: Running, shown: () => string) => Promise<void>,
): Promise<Ending> {
  const parts: Uint8Array[] = [];
  const running = await start(image, { ...cli, quiet: true }, (bytes) => void parts.push(bytes.slice()));
  if (meanwhile) running.control.expectInput(() => true);
  await meanwhile?.(running, () => Buffer.concat(parts).toString('latin1'));
  const code = await running.done;
  return endingOf(running.booted.machine, code, Buffer.concat(parts));
}

/** Repeats all of a recording with an engine. */
export function repeat(file: string, engine: NonNullable<MachineCli['engine']>): Promise<Ending> {
  const { image, cli } = replayed(readRecording(file), { engine });
  return run(image, cli);
}
