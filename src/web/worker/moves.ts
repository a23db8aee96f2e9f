/** How the machine is moved: by the packets that a gdb sends. */
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { StubClient } from '../../gdbstub/stub-client.ts';
import type { ToMachine } from '../protocol.ts';

const CPU0 = 'p1.1';
/** How often a run to a moment looks where it is. */
const LOOK_MS = 2;

/** Moves that end at a stop. */
export type Move = Extract<ToMachine['kind'], 'run' | 'step' | 'step-over' | 'back' | 'back-over'>;

export const isForward = (how: Move): boolean => how === 'run' || how === 'step' || how === 'step-over';

/** Moves the machine until it stops. */
export async function make(how: Move, stub: StubClient): Promise<void> {
  switch (how) {
    case 'run':
      await stub.ask('vCont;c');
      return;
    case 'step':
      await stub.ask(`vCont;s:${CPU0}`);
      return;
    case 'step-over':
      await stub.monitor('step-mode world');
      await stub.ask(`vCont;s:${CPU0}`);
      await stub.monitor('step-mode cpu');
      return;
    case 'back':
      await stub.ask('bs');
      return;
    case 'back-over':
      await stub.ask('bc');
  }
}

/** Runs until the machine is behind a moment, or stops. @param to instructions of the machine */
export async function runBeyond(to: number, { machine }: RunControl, stub: StubClient): Promise<void> {
  const { runtime } = machine.options;
  let cancel = (): void => {};
  const look = (): void => {
    if (machine.instructions > to) stub.interrupt();
    else cancel = runtime.after(LOOK_MS, look);
  };
  look();
  await stub.ask('vCont;c');
  cancel();
}
