/** A machine that has booted once, for all runs to go on from. */
import { writeFileSync } from 'node:fs';
import { UsageError } from '../errors.ts';
import type { MachineCli } from '../options.ts';
import { start } from '../run.ts';
import { packSnapshot } from '../snapshots.ts';
import { unwritable } from '../unwritable.ts';

/**
 * Runs a machine until its console has shown a text, and keeps it there.
 * @param file where the snapshot is kept
 * @returns what the runs start with
 * @throws UsageError when the text does not come
 */
export async function startAfter(
  image: string | undefined,
  cli: MachineCli,
  text: string,
  file: string,
): Promise<{ readonly image: undefined; readonly cli: MachineCli }> {
  let [shown, there] = ['', false];
  const running = await start(
    image,
    {
      ...cli,
      quiet: true,
      observed: true,
      onEnd: () => {},
      prepare: (c) => {
        c.onConsole = (byte) => {
          shown += String.fromCharCode(byte);
          if (there || !shown.endsWith(text)) return;
          there = true;
          c.quit(true);
          for (const cpu of c.machine.cpus) cpu.requestStop();
        };
      },
    },
    () => {},
  );
  await running.done;
  if (!there) throw new UsageError(`--after: the console does not show '${text}': check the text`);
  const { machine, observers } = running.control;
  machine.clearStops();
  await running.booted.named;
  try {
    writeFileSync(file, packSnapshot(machine, observers, { symbols: running.booted.packedSymbols() }));
  } catch (error) {
    throw unwritable(`--after: cannot write the snapshot to ${file}`, error);
  }
  const { kernel, guest, initrd, load, hypervisor, append, ...rest } = cli;
  return { image: undefined, cli: { ...rest, snapshot: file } };
}
