/** Goes through a window of a recorded run instruction by instruction, for the functions that its CPUs were in. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { UsageError } from './errors.ts';

/** Most instructions of a window. */
const MOST = 100_000_000;
/** Instructions between two turns of the event loop. */
const PIECE = 20_000;

/** A stay of a CPU in a function. */
interface Stay {
  readonly name: string;
  readonly world: number;
  readonly from: number;
}

/** @throws UsageError for a window that is too long */
export function checkWindow(from: number, to: number): void {
  if (to - from > MOST)
    throw new UsageError(
      `--detail functions goes through ${to - from} instructions one by one: give --from and --to with at most ${MOST} in between`,
    );
}

/**
 * Runs the machine to its end, with `ran` called for each stay in a function behind `from`. The machine must not run by itself.
 * @param symbolize `name+0x10` of an address
 */
export async function goThrough(
  control: RunControl,
  from: number,
  symbolize: Symbolizer,
  ran: (cpu: Cpu, name: string, world: number, from: number, to: number) => void,
): Promise<void> {
  const { history, machine } = control;
  const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  while (history.position < from && !control.over) {
    control.repeatSome(from);
    await pause();
  }
  const stays = new Map<Cpu, Stay>();
  const leave = (cpu: Cpu): void => {
    const stay = stays.get(cpu);
    if (stay && cpu.now > stay.from) ran(cpu, stay.name, stay.world, stay.from, cpu.now);
  };
  while (!history.recordingOver && !control.over) {
    for (let n = 0; n < PIECE && !history.recordingOver; n++) {
      const cpu = machine.nextCpu();
      if (cpu) {
        const name = symbolize(cpu.world, cpu.pc)?.replace(/\+0x[0-9a-f]+$/, '') ?? 'unknown';
        const stay = stays.get(cpu);
        if (stay?.name !== name || stay.world !== cpu.world) {
          leave(cpu);
          stays.set(cpu, { name, world: cpu.world, from: cpu.now });
        }
      }
      control.repeatSome(history.position + 1);
    }
    await pause();
  }
  for (const cpu of machine.cpus) leave(cpu);
}
