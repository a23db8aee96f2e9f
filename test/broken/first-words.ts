/** What a user reads first of a broken hypervisor: the message that stops the machine, otherwise one `explain` when it has ended. */
import { join } from 'node:path';
import { boot } from '../../src/cli/boot.ts';
import { DEFAULT_MACHINE, parseGuest } from '../../src/cli/options.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { explaining } from '../../src/emu/debug/explain-stop.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { explainLoop } from '../../src/emu/debug/why/report.ts';
import { finish } from '../../src/emu/runtime/steps.ts';

export interface FirstWords {
  readonly lines: readonly string[];
  readonly console: string;
  /** How the run ended. */
  readonly ending: string;
}

const LIMIT = 120_000_000;

/** @param name the program in build/broken; '': the reference hypervisor as it is. @param guest a guest of the reference hypervisor, for a variant of it */
export async function firstWords(name: string, guest?: string, cpu = DEFAULT_MACHINE.cpu): Promise<FirstWords> {
  const file = name === '' ? undefined : join(PROJECT_ROOT, 'build', 'broken', `${name}.elf`);
  let text = '';
  let control: RunControl | undefined;
  const booted = boot(
    guest === undefined ? file : undefined,
    {
      ...DEFAULT_MACHINE,
      cpu,
      memory: guest === undefined ? 128 << 20 : DEFAULT_MACHINE.memory,
      ...(guest !== undefined && { ...(file && { hypervisor: file }), guest: guest.split('+').map(parseGuest) }),
    },
    (byte) => {
      if (!control?.repeating) text += String.fromCharCode(byte);
    },
  );
  await booted.named;
  const { symbolize: symbolizer, machine } = booted;
  let told: readonly string[] | undefined;
  control = new RunControl(machine, {
    limits: { maxInstructions: LIMIT },
    remembers: true,
    onLoop: (cpu, loop) => {
      void control!.between(() => {
        told ??= [loop.text, ...finish(explainLoop(control!, cpu, loop, symbolizer))];
        control!.quit();
      });
    },
  });
  const end = await control.run();
  const lines = told ?? finish(explaining(control, machine.cpus[0]!, symbolizer));
  const ending = end.kind === 'died' ? `died: ${end.reason}` : end.kind;
  return { lines: lines.map((l) => l.trim()), console: text, ending };
}
